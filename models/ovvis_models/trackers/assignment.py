"""Which proposal continues which track: the part of association that all token trackers share.

Deviation from paper Sec. 4.3, which matches a fixed set of N slots in every frame whatever their similarity:
here a match needs a similarity, an unmatched good proposal starts a new track, and a track unseen for long
ends. Without these, a track that left the picture would go on with whatever proposal is left over, and memory
would grow.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_models.trackers.state import TrackState

NO_TRACK = -1

Update = Callable[[TrackState, Tensor], TrackState]
"""Slots that were seen, with their tokens (M,F) of this frame -> the same slots for the next frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationRules:
    """When a proposal continues, starts or ends a track."""

    match_threshold: float = 0.5  # least cosine similarity of one object in two frames
    birth_threshold: float = 0.5  # least object score with which an unmatched proposal starts a track
    max_tracks: int = 100  # alive at once
    max_unseen: int = 60  # frames after which an unseen track ends

    def __post_init__(self) -> None:
        if not -1.0 <= self.match_threshold <= 1.0:
            raise ValueError(f"match_threshold is a cosine in [-1, 1], got {self.match_threshold}")
        if not 0.0 <= self.birth_threshold <= 1.0:
            raise ValueError(f"birth_threshold is a score in [0, 1], got {self.birth_threshold}")
        if self.max_tracks < 1 or self.max_unseen < 0:
            got = f"{self.max_tracks} and {self.max_unseen}"
            raise ValueError(f"max_tracks must be at least 1 and max_unseen at least 0, got {got}")


def associate(
    state: TrackState,
    tracking_tokens: Float[Tensor, "N F"],
    scores: Float[Tensor, " N"],
    *,
    similarity: Float[Tensor, "M N"],
    rules: AssociationRules,
    update: Update,
) -> tuple[TrackState, Int[Tensor, " N"]]:
    """One frame: match, give birth, update, end. The state after it, and each proposal's track id or -1.

    The order of the proposals does not matter, but for exact ties: new ids go by descending score. Of a track
    that is not seen, only the number of frames unseen changes.
    """
    slot_of = match(similarity, threshold=rules.match_threshold)
    born = _births(slot_of, scores, rules=rules)
    aged = _aged(state, slot_of[slot_of >= 0])
    kept = _kept_slots(aged, num_born=born.shape[0], rules=rules)
    born = born[: rules.max_tracks - kept.shape[0]]

    grown = _with_new_slots(aged, tracking_tokens[born])
    new_slots = torch.arange(state.num_slots, grown.num_slots, device=slot_of.device)
    slot_of = slot_of.index_copy(0, born, new_slots)
    seen = (slot_of >= 0).nonzero()[:, 0]
    slots = slot_of[seen]
    after = grown.updated(slots, update(grown.select(slots), tracking_tokens[seen]))
    track_ids = torch.full_like(slot_of, NO_TRACK).index_copy(0, seen, grown.track_ids[slots])
    return after.select(torch.cat([kept, new_slots])), track_ids


def cosines(
    expected_tokens: Float[Tensor, "*batch M F"], tracking_tokens: Float[Tensor, "N F"]
) -> Float[Tensor, "*batch M N"]:
    """Cosine of every track and every proposal."""
    return F.normalize(expected_tokens, dim=-1) @ F.normalize(tracking_tokens, dim=-1).T


def match(similarity: Float[Tensor, "M N"], *, threshold: float) -> Int[Tensor, " N"]:
    """Each proposal's slot, -1 for none: one to one, with the most similarity in excess of `threshold`.

    Counting only the excess makes one sure match worth more than two doubtful ones, and keeps pairs below the
    threshold from displacing better ones, as they would if they were dropped after the assignment.
    """
    gain = excess(similarity, threshold=threshold)
    slots, proposals = linear_sum_assignment(np.maximum(gain, 0.0), maximize=True)
    allowed = gain[slots, proposals] >= 0.0
    slot_of = np.full(gain.shape[1], -1, dtype=np.int64)
    slot_of[proposals[allowed]] = slots[allowed]
    return torch.from_numpy(slot_of).to(similarity.device)


def excess(similarity: Float[Tensor, "*batch M N"], *, threshold: float) -> np.ndarray:
    """Similarity above `threshold`, float64 on the CPU."""
    gain: np.ndarray = (similarity - threshold).double().cpu().numpy()
    return gain


def _births(
    slot_of: Int[Tensor, " N"], scores: Float[Tensor, " N"], *, rules: AssociationRules
) -> Int[Tensor, " K"]:
    """Proposals that start a track, best first."""
    candidates = ((slot_of < 0) & (scores >= rules.birth_threshold)).nonzero()[:, 0]
    return candidates[scores[candidates].argsort(descending=True, stable=True)]


def _aged(state: TrackState, matched_slots: Int[Tensor, " K"]) -> TrackState:
    unseen = (state.frames_unseen + 1).index_fill(0, matched_slots, 0)
    return replace(state, frames_unseen=unseen)


def _kept_slots(aged: TrackState, *, num_born: int, rules: AssociationRules) -> Int[Tensor, " K"]:
    """Slots that live on, ascending. New tracks take the room of the longest unseen, never of seen ones."""
    by_recency = aged.frames_unseen.argsort(stable=True)
    unseen = aged.frames_unseen[by_recency]
    num_seen = int((unseen == 0).sum())
    num_alive = int((unseen <= rules.max_unseen).sum())
    num_kept = min(num_alive, max(num_seen, rules.max_tracks - num_born))
    return by_recency[:num_kept].sort().values


def _with_new_slots(state: TrackState, tokens: Float[Tensor, "K F"]) -> TrackState:
    """The state with a new track for each of `tokens` at its end."""
    num_born = tokens.shape[0]
    born = TrackState.unseen(
        tokens.to(state.expected_tokens.dtype),
        track_ids=torch.arange(num_born, device=state.track_ids.device) + state.next_track_id,
        hidden_dim=state.hidden.shape[1],
        num_frames=state.memory.shape[1],
        next_track_id=state.next_track_id + num_born,
    )
    return state.followed_by(born)
