"""Association as MinVIS does it: every track takes one proposal of every frame, the most alike in sum.

Paper: MinVIS: A Minimal Video Instance Segmentation Framework without Video-based Training (Huang et al.,
NeurIPS 2022). Tracks are the proposals of the first frame and neither begin nor end later; an object that is
absent is expected to say so by its class logits. The other trackers of this folder differ in that: see
`assignment.py`.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_models.trackers.state import TrackState


class PreviousFrameTracker:
    """Matches each frame to the frame before it, put in the order of the tracks; no memory beyond that."""

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """No tracks: the first frame brings all of them."""
        return TrackState.empty(num_features, device=device)

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """See `Tracker.step`. Every proposal belongs to a track; scores play no part.

        Raises:
            ValueError: when there are not as many proposals as in the first frame.
        """
        if state.num_slots == 0:
            first = _first_state(tracking_tokens)
            return first, first.track_ids
        if tracking_tokens.shape[0] != state.num_slots:
            found = f"{tracking_tokens.shape[0]} proposals for {state.num_slots} tracks"
            raise ValueError(f"every frame needs as many proposals as the first, got {found}")
        proposal_of = assign(similarity(state.expected_tokens, tracking_tokens))
        after = replace(state, expected_tokens=tracking_tokens[proposal_of])
        return after, torch.empty_like(state.track_ids).index_copy(0, proposal_of, state.track_ids)


def similarity(
    expected_tokens: Float[Tensor, "M F"], tracking_tokens: Float[Tensor, "N F"]
) -> Float[Tensor, "M N"]:
    """Cosine of every track and every proposal."""
    ours, theirs = (
        tokens / tokens.norm(dim=-1, keepdim=True) for tokens in (expected_tokens, tracking_tokens)
    )
    return ours @ theirs.T


def assign(similarity: Float[Tensor, "M M"]) -> Int[Tensor, " M"]:
    """The proposal of each track, one to one, such that the sum of similarities is largest."""
    _, proposal_of = linear_sum_assignment((1 - similarity).cpu().numpy())
    return torch.from_numpy(proposal_of).to(similarity.device)


def _first_state(tracking_tokens: Tensor) -> TrackState:
    num_tracks, device = tracking_tokens.shape[0], tracking_tokens.device
    ids = torch.arange(1, num_tracks + 1, device=device)
    return TrackState.unseen(
        tracking_tokens, track_ids=ids, hidden_dim=0, num_frames=0, next_track_id=num_tracks + 1
    )
