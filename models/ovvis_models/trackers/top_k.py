"""Association by the K most alike of the last T frames (CLIP-VIS, temporal top-K-enhanced matching).

    for each remembered frame: similarity of its tracks and the proposals, and the best assignment by it alone
    the K frames whose assignment is best -> weighted mean of their similarities -> the assignment

In the mean, newer frames weigh more (place 1..T in the memory, oldest first), as in the published code; the
paper's plain mean is not what it runs. With fewer than K frames in memory, the best single one decides.

Deviations from the paper, which remembers a fixed set of Q slots: tracks begin and end by the rules that all
trackers share (`assignment.py`), so that a track need not be in every remembered frame. It is then compared
in those chosen frames that it was seen in, and by its last look if it was in none of them. With rules that
let every proposal continue a track, this is exactly the published matching (proved by the parity fixtures).
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_models.trackers.assignment import AssociationRules, TrackRules, cosines, excess
from ovvis_models.trackers.state import TrackState

PAPER_FRAMES, PAPER_CHOSEN = 9, 3  # T and K of the paper's tables


class TopKTracker:
    """Keeps the tokens of the last T frames, and nothing else. No parameters."""

    def __init__(
        self,
        rules: TrackRules | None = None,
        *,
        num_frames: int = PAPER_FRAMES,
        num_chosen: int = PAPER_CHOSEN,
    ) -> None:
        """Starts with rules, T = `num_frames` in memory and K = `num_chosen` of them to match with.

        Raises:
            ValueError: unless 1 <= K <= T.
        """
        if not 1 <= num_chosen <= num_frames:
            raise ValueError(f"num_chosen must be in 1..{num_frames} (the memory), got {num_chosen}")
        self.rules: TrackRules = rules or AssociationRules()
        self.num_frames = num_frames
        self.num_chosen = num_chosen

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """No tracks, an empty memory."""
        return TrackState.empty(num_features, num_frames=self.num_frames, device=device)

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """See `Tracker.step`."""
        similarity = self.similarity(state, tracking_tokens)
        return self.rules.associate(
            _one_frame_later(state),
            tracking_tokens,
            scores,
            similarity=similarity,
            update=_remember,
        )

    def similarity(self, state: TrackState, tracking_tokens: Float[Tensor, "N F"]) -> Float[Tensor, "M N"]:
        """Similarity of tracks and proposals in the chosen frames; weighted means of cosines."""
        last_look = cosines(state.expected_tokens, tracking_tokens)
        frames = state.remembered.any(dim=0).nonzero()[:, 0]  # oldest first
        if frames.shape[0] == 0 or tracking_tokens.shape[0] == 0:
            return last_look
        seen = state.remembered[:, frames].T  # (f, M)
        alike = cosines(state.memory[:, frames].transpose(0, 1), tracking_tokens)  # (f, M, N)
        chosen = self.choose(alike, seen)
        # a place counts from the oldest frame in memory
        weights = (chosen + 1).to(alike.dtype)[:, None] * seen[chosen]  # (k, M)
        total = weights.sum(dim=0)
        mean = (alike[chosen] * weights[..., None]).sum(dim=0) / total.clamp(min=1)[:, None]
        return torch.where(total[:, None] > 0, mean, last_look)

    def choose(self, alike: Float[Tensor, "f M N"], seen: Bool[Tensor, "f M"]) -> Int[Tensor, " k"]:
        """Places of the frames to match with, ascending: the K best, or the best one of fewer than K."""
        parts = zip(alike, seen, strict=True)
        values = torch.tensor(
            [self.assignment(frame[known])[1] for frame, known in parts], dtype=torch.float64
        )
        num_chosen = self.num_chosen if len(values) >= self.num_chosen else 1
        best = (-values.flip(0)).argsort(stable=True)[:num_chosen]  # of equals the newest
        return (len(values) - 1 - best).sort().values.to(alike.device)

    def assignment(self, similarity: Float[Tensor, "M N"]) -> tuple[Int[np.ndarray, " M"], float]:
        """The best assignment by one frame alone: each track's proposal, -1 for none, and what it is worth.

        Worth is the sum of what similarity the pairs have above the threshold, as in `match`.
        """
        gain = np.maximum(excess(similarity, threshold=self.rules.match_threshold), 0.0)
        slots, proposals = linear_sum_assignment(gain, maximize=True)
        proposal_of = np.full(gain.shape[0], -1, dtype=np.int64)
        proposal_of[slots] = proposals
        return proposal_of, float(gain[slots, proposals].sum())


def _one_frame_later(state: TrackState) -> TrackState:
    """The memory moved on by a frame in which no track was seen yet."""
    memory, remembered = state.memory.roll(-1, dims=1), state.remembered.roll(-1, dims=1)
    memory[:, -1], remembered[:, -1] = 0.0, False
    return replace(state, memory=memory, remembered=remembered)


def _remember(seen: TrackState, tokens: Tensor) -> TrackState:
    """Puts the tokens of this frame at the end of the memory."""
    memory, remembered = seen.memory.clone(), seen.remembered.clone()
    memory[:, -1], remembered[:, -1] = tokens, True
    return replace(seen, expected_tokens=tokens, memory=memory, remembered=remembered)
