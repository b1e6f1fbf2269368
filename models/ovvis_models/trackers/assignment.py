"""Match proposals to tracks, and decide when tracks begin and end.

Two rule sets share one interface, so that every tracker works with both:
- `AssociationRules`, for everyday use: a match needs a minimum similarity, an unmatched proposal with a
  high score starts a track, and a track ends when it has not been seen for a long time.
- `FixedSlots`, for the papers' evaluation: each proposal of the first window becomes a track, and the
  proposals of every later window are permuted to match (MinVIS; OpenVIS, Sec. 4.3; CLIP-VIS; OVFormer).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_models.trackers.state import TrackState

NO_TRACK = -1

Update = Callable[[TrackState, Tensor], TrackState]
"""Function that updates the M slots seen in this window with their tokens (M, F)."""


class TrackRules(Protocol):
    """Rules that decide which proposals continue a track, and when tracks start and end."""

    @property
    def match_threshold(self) -> float:
        """Minimum cosine similarity of a match, in [-1, 1]."""
        ...

    def associate(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
        *,
        similarity: Float[Tensor, "M N"],
        update: Update,
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """Return the state after this window, and the track id of each proposal (-1 for none)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationRules:
    """Rules with a match threshold, track births and track ends: the rules of `ovvis segment`."""

    match_threshold: float = 0.5  # minimum cosine similarity of a match
    birth_threshold: float = 0.5  # minimum object score of an unmatched proposal to start a track
    max_tracks: int = 100  # maximum number of live tracks
    max_unseen: int = 60  # a track ends when it is unseen for more windows than this

    def __post_init__(self) -> None:
        if not -1.0 <= self.match_threshold <= 1.0:
            raise ValueError(f"match_threshold is a cosine in [-1, 1], got {self.match_threshold}")
        if not 0.0 <= self.birth_threshold <= 1.0:
            raise ValueError(f"birth_threshold is a score in [0, 1], got {self.birth_threshold}")
        if self.max_tracks < 1 or self.max_unseen < 0:
            got = f"{self.max_tracks} and {self.max_unseen}"
            raise ValueError(f"max_tracks must be at least 1 and max_unseen at least 0, got {got}")

    def associate(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
        *,
        similarity: Float[Tensor, "M N"],
        update: Update,
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """Match proposals to tracks, start new tracks, update the seen ones and end old ones.

        The order of the proposals does not affect the result, except for exact ties: new track ids are given
        in descending order of score. For a track that is not seen, only `frames_unseen` changes.
        """
        slot_of = match(similarity, threshold=self.match_threshold)
        born = _births(slot_of, scores, rules=self)
        aged = _aged(state, slot_of[slot_of >= 0])
        kept = _kept_slots(aged, num_born=born.shape[0], rules=self)
        born = born[: self.max_tracks - kept.shape[0]]

        grown = _with_new_slots(aged, tracking_tokens[born])
        new_slots = torch.arange(state.num_slots, grown.num_slots, device=slot_of.device)
        slot_of = slot_of.index_copy(0, born, new_slots)
        seen = (slot_of >= 0).nonzero()[:, 0]
        slots = slot_of[seen]
        after = grown.updated(slots, update(grown.select(slots), tracking_tokens[seen]))
        track_ids = torch.full_like(slot_of, NO_TRACK).index_copy(0, seen, grown.track_ids[slots])
        return after.select(torch.cat([kept, new_slots])), track_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedSlots:
    """Rules of the papers: one track per proposal of the first window, matched to one proposal per window.

    No track starts or ends later. The scores of a track are expected to be low where its object is absent.
    """

    match_threshold: float = -1.0  # the minimum cosine, so every pair may match

    def associate(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
        *,
        similarity: Float[Tensor, "M N"],
        update: Update,
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """Assign one proposal to each track so that the sum of similarities is maximal; `scores` is not used.

        Raises:
            ValueError: when the number of proposals differs from that of the first window.
        """
        if state.num_slots == 0:
            state = TrackState.unseen(
                tracking_tokens,
                track_ids=torch.arange(1, tracking_tokens.shape[0] + 1, device=tracking_tokens.device),
                hidden_dim=state.hidden.shape[1],
                num_frames=state.memory.shape[1],
                next_track_id=tracking_tokens.shape[0] + 1,
            )
            proposal_of = torch.arange(state.num_slots, device=tracking_tokens.device)
        elif tracking_tokens.shape[0] == state.num_slots:
            proposal_of = assign(similarity)
        else:
            found = f"{tracking_tokens.shape[0]} proposals for {state.num_slots} tracks"
            raise ValueError(f"every window must have the same number of proposals, got {found}")
        after = update(state, tracking_tokens[proposal_of])
        return after, torch.empty_like(state.track_ids).index_copy(0, proposal_of, state.track_ids)


FIXED_SLOTS: Final = FixedSlots()


def cosines(
    expected_tokens: Float[Tensor, "*batch M F"], tracking_tokens: Float[Tensor, "N F"]
) -> Float[Tensor, "*batch M N"]:
    """Return the cosine similarity of every track and every proposal."""
    return F.normalize(expected_tokens, dim=-1) @ F.normalize(tracking_tokens, dim=-1).T


def match(similarity: Float[Tensor, "M N"], *, threshold: float) -> Int[Tensor, " N"]:
    """Return the slot of each proposal, -1 for none: the one-to-one assignment with the largest total excess.

    The excess of a pair is its similarity minus `threshold`. Using the excess has two effects: one strong
    match outweighs two weak ones, and pairs below the threshold cannot displace better pairs, as they could
    if they were removed after the assignment.
    """
    gain = excess(similarity, threshold=threshold)
    slots, proposals = linear_sum_assignment(np.maximum(gain, 0.0), maximize=True)
    allowed = gain[slots, proposals] >= 0.0
    slot_of = np.full(gain.shape[1], -1, dtype=np.int64)
    slot_of[proposals[allowed]] = slots[allowed]
    return torch.from_numpy(slot_of).to(similarity.device)


def assign(similarity: Float[Tensor, "M M"]) -> Int[Tensor, " M"]:
    """Return the proposal of each track: the one-to-one assignment of largest total similarity."""
    _, proposal_of = linear_sum_assignment((1 - similarity).cpu().numpy())
    return torch.from_numpy(proposal_of).to(similarity.device)


def excess(similarity: Float[Tensor, "*batch M N"], *, threshold: float) -> np.ndarray:
    """Return the similarity minus `threshold`, as float64 on the CPU."""
    gain: np.ndarray = (similarity - threshold).double().cpu().numpy()
    return gain


def _births(
    slot_of: Int[Tensor, " N"], scores: Float[Tensor, " N"], *, rules: AssociationRules
) -> Int[Tensor, " K"]:
    """Return the proposals that may start a track, in descending order of score."""
    candidates = ((slot_of < 0) & (scores >= rules.birth_threshold)).nonzero()[:, 0]
    return candidates[scores[candidates].argsort(descending=True, stable=True)]


def _aged(state: TrackState, matched_slots: Int[Tensor, " K"]) -> TrackState:
    """Count one more unseen window for every track, and reset the matched ones to 0."""
    unseen = (state.frames_unseen + 1).index_fill(0, matched_slots, 0)
    return replace(state, frames_unseen=unseen)


def _kept_slots(aged: TrackState, *, num_born: int, rules: AssociationRules) -> Int[Tensor, " K"]:
    """Return the slots to keep, ascending.

    When `max_tracks` leaves no room for new tracks, the tracks unseen for longest are dropped. A track that
    is seen in this window is never dropped.
    """
    by_recency = aged.frames_unseen.argsort(stable=True)
    unseen = aged.frames_unseen[by_recency]
    num_seen = int((unseen == 0).sum())
    num_alive = int((unseen <= rules.max_unseen).sum())
    num_kept = min(num_alive, max(num_seen, rules.max_tracks - num_born))
    return by_recency[:num_kept].sort().values


def _with_new_slots(state: TrackState, tokens: Float[Tensor, "K F"]) -> TrackState:
    """Return the state with one new track per token appended."""
    num_born = tokens.shape[0]
    born = TrackState.unseen(
        tokens.to(state.expected_tokens.dtype),
        track_ids=torch.arange(num_born, device=state.track_ids.device) + state.next_track_id,
        hidden_dim=state.hidden.shape[1],
        num_frames=state.memory.shape[1],
        next_track_id=state.next_track_id + num_born,
    )
    return state.followed_by(born)
