"""Association: from encoded windows to slots, one window after the other.

    (state, encoded window) --step--> (state, slots of that window)

`MatchingAssociation` matches proposals to tracks; it covers every system that finds objects in each window
anew. A system that carries its queries from window to window (GenVIS) is another implementation of
`Association`, with a state of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.heads.closed_set import mask_quality
from ovvis_models.proposal_selection import ProposalSelection
from ovvis_models.structures import EncodedWindow, WindowSlots
from ovvis_models.trackers.state import TrackState
from ovvis_models.trackers.tracker import TrackedBy, Tracker, tracking_tokens

Window = TypeVar("Window", contravariant=True)


class AssociationState(Protocol):
    """What an association carries from window to window: explicit, and bounded in size."""

    def to_tensors(self) -> dict[str, Tensor]:
        """Return a flat dict of CPU tensors; with the fixed ones, `Association.restore` makes this state."""
        ...

    def fixed_tensors(self) -> dict[str, Tensor]:
        """Return the CPU tensors that never change under their names, so that each is stored only once."""
        ...

    def to(self, device: torch.device) -> Self:
        """Return the same state on another device."""
        ...


State = TypeVar("State", bound=AssociationState)


class Association(Protocol[Window, State]):
    """Turns encoded windows into slots. Holds no state: it is passed in and returned."""

    def start(self, window: Window) -> State:
        """Return the state before the first window."""
        ...

    def step(self, state: State, window: Window) -> tuple[State, WindowSlots]:
        """Return the state after a window, and its slots sorted by track id."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> State:
        """Return the state that `to_tensors` gave. Raises KeyError when a tensor is missing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingAssociation:
    """Chooses proposals of each window and matches them to tracks."""

    tracker: Tracker
    selection: ProposalSelection
    tracked_by: TrackedBy = "query-and-token"
    weight_by_mask_confidence: bool = False  # multiply object scores by the mean probability in the mask

    def start(self, window: EncodedWindow) -> TrackState:
        """Return the state before the first window: no tracks."""
        tokens = self._tracking_tokens(window)
        return self.tracker.initial_state(tokens.shape[1], tokens.device)

    def step(self, state: TrackState, window: EncodedWindow) -> tuple[TrackState, WindowSlots]:
        """Return the state after a window, and its tracked proposals sorted by track id."""
        scores = self._object_scores(window)
        chosen = self.selection.choose(window.mask_logits, scores)
        state, track_ids = self.tracker.step(state, self._tracking_tokens(window)[chosen], scores[chosen])
        tracked = (track_ids >= 0).nonzero()[:, 0]
        tracked = tracked[track_ids[tracked].argsort()]
        kept = chosen[tracked]
        slots = WindowSlots(
            track_ids=track_ids[tracked],
            object_scores=scores[kept],
            object_logits=window.object_logits[kept],
            instance_tokens=window.instance_tokens[kept].float(),
            mask_quality=None if window.mask_quality is None else window.mask_quality[kept],
            mask_logits=window.mask_logits[:, kept],
            geometry=window.geometry,
        )
        return state, slots

    def restore(self, tensors: Mapping[str, Tensor]) -> TrackState:
        """Return the state that `to_tensors` gave. Raises KeyError when a tensor is missing."""
        return TrackState.from_tensors(dict(tensors))

    def _object_scores(self, window: EncodedWindow) -> Float[Tensor, " Q"]:
        scores = window.object_logits.float().sigmoid()
        if self.weight_by_mask_confidence:
            masks = window.mask_logits.float().transpose(0, 1).flatten(1, 2)  # (Q, T h, w)
            return scores * mask_quality(masks)
        return scores

    def _tracking_tokens(self, window: EncodedWindow) -> Float[Tensor, "Q F"]:
        queries = window.query_embeds.float()
        if self.tracked_by == "query":
            return queries
        return tracking_tokens(queries, window.instance_tokens.float())
