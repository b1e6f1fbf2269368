"""Association by the K most similar of the last T frames (CLIP-VIS, temporal top-K-enhanced matching).

    1. For each frame in memory: similarity of its tracks and the new proposals, and the value of the best
       assignment by this similarity alone.
    2. The K frames with the highest values -> weighted mean of their similarities -> final assignment.

Newer frames have larger weights in the mean: 1..T, from the oldest frame in memory to the newest. This
follows the published code; the paper describes a plain mean. With fewer than K frames in memory, only the
best frame is used.

Deviation from the paper, which keeps a fixed set of Q slots: with `AssociationRules`, tracks begin and end,
so a track may be missing from some frames in memory. Its similarity is the mean over the chosen frames in
which it was seen, or that of its last token when it was seen in none of them. With `FixedSlots`, the result
is exactly the published matching (proved by the parity fixtures).
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_models.trackers.assignment import AssociationRules, TrackRules, cosines, excess
from ovvis_models.trackers.state import TrackState

PAPER_FRAMES, PAPER_CHOSEN = 9, 3  # T and K in the paper's tables


class TopKTracker:
    """Tracker with a memory of the tokens of the last T frames; no learned parameters."""

    def __init__(
        self,
        rules: TrackRules | None = None,
        *,
        num_frames: int = PAPER_FRAMES,
        num_chosen: int = PAPER_CHOSEN,
    ) -> None:
        """Create the tracker.

        Args:
            rules: when tracks begin and end; None for the default `AssociationRules`.
            num_frames: number of frames T in memory.
            num_chosen: number of frames K of the memory that are used for matching.

        Raises:
            ValueError: unless 1 <= K <= T.
        """
        if not 1 <= num_chosen <= num_frames:
            raise ValueError(f"num_chosen must be in 1..{num_frames} (the memory), got {num_chosen}")
        self.rules: TrackRules = rules or AssociationRules()
        self.num_frames = num_frames
        self.num_chosen = num_chosen

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """Return a state without tracks and with an empty memory."""
        return TrackState.empty(num_features, num_frames=self.num_frames, device=device)

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """Match the proposals of one frame to tracks; see `Tracker.step`."""
        similarity = self.similarity(state, tracking_tokens)
        return self.rules.associate(
            _advance_memory(state),
            tracking_tokens,
            scores,
            similarity=similarity,
            update=_write_memory,
        )

    def similarity(self, state: TrackState, tracking_tokens: Float[Tensor, "N F"]) -> Float[Tensor, "M N"]:
        """Return the similarity of tracks and proposals: weighted means of cosines over the chosen frames."""
        to_last_token = cosines(state.expected_tokens, tracking_tokens)
        frames = state.remembered.any(dim=0).nonzero()[:, 0]  # oldest first
        if frames.shape[0] == 0 or tracking_tokens.shape[0] == 0:
            return to_last_token
        seen = state.remembered[:, frames].T  # (f, M)
        similarities = cosines(state.memory[:, frames].transpose(0, 1), tracking_tokens)  # (f, M, N)
        chosen = self.choose(similarities, seen)
        # the weight of a frame is its position in memory, from 1 for the oldest
        weights = (chosen + 1).to(similarities.dtype)[:, None] * seen[chosen]  # (k, M)
        total = weights.sum(dim=0)
        mean = (similarities[chosen] * weights[..., None]).sum(dim=0) / total.clamp(min=1)[:, None]
        return torch.where(total[:, None] > 0, mean, to_last_token)

    def choose(self, alike: Float[Tensor, "f M N"], seen: Bool[Tensor, "f M"]) -> Int[Tensor, " k"]:
        """Return the indices of the frames to match with, ascending: the K best, or the best of fewer than K.

        Args:
            alike: similarity of M tracks and N proposals in each of f frames, oldest first.
            seen: True where a track was seen in a frame.
        """
        parts = zip(alike, seen, strict=True)
        values = torch.tensor(
            [self.assignment(frame[known])[1] for frame, known in parts], dtype=torch.float64
        )
        num_chosen = self.num_chosen if len(values) >= self.num_chosen else 1
        best = (-values.flip(0)).argsort(stable=True)[:num_chosen]  # in a tie, the newest frame
        return (len(values) - 1 - best).sort().values.to(alike.device)

    def assignment(self, similarity: Float[Tensor, "M N"]) -> tuple[Int[np.ndarray, " M"], float]:
        """Return the best assignment by one frame alone, as the proposal of each track or -1, and its value.

        The value is the sum over the pairs of their similarity above the match threshold, as in `match`.
        """
        gain = np.maximum(excess(similarity, threshold=self.rules.match_threshold), 0.0)
        slots, proposals = linear_sum_assignment(gain, maximize=True)
        proposal_of = np.full(gain.shape[0], -1, dtype=np.int64)
        proposal_of[slots] = proposals
        return proposal_of, float(gain[slots, proposals].sum())


def _advance_memory(state: TrackState) -> TrackState:
    """Shift the memory by one frame and mark no track as seen in the new frame."""
    memory, remembered = state.memory.roll(-1, dims=1), state.remembered.roll(-1, dims=1)
    memory[:, -1], remembered[:, -1] = 0.0, False
    return replace(state, memory=memory, remembered=remembered)


def _write_memory(seen: TrackState, tokens: Tensor) -> TrackState:
    """Write the tokens of this frame into the newest place of the memory."""
    memory, remembered = seen.memory.clone(), seen.remembered.clone()
    memory[:, -1], remembered[:, -1] = tokens, True
    return replace(seen, expected_tokens=tokens, memory=memory, remembered=remembered)
