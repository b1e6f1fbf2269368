"""Association without matching: the queries of each window are carried on from the window before (GenVIS).

    (queries, memory), encoded window --window decoder--> (queries, memory), slots

Query i is track i + 1 in every window. An object that leaves lets its query predict "no object".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.decoders.prototype_memory import PrototypeMemory
from ovvis_models.decoders.window_decoder import WindowDecoder
from ovvis_models.networks.mask_naming import MaskNaming
from ovvis_models.proposal_selection import ProposalSelection
from ovvis_models.structures import FrameQueryWindow, ImagedWindow, WindowSlots


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagationState:
    """Queries and memory after the last window."""

    queries: Float[Tensor, "1 Q C"]
    memory: PrototypeMemory

    def to_tensors(self) -> dict[str, Tensor]:
        """See `AssociationState.to_tensors`."""
        return {
            "queries": self.queries.cpu(),
            "windows": self.memory.windows,
            "num_windows": torch.tensor(self.memory.num_seen),
        }

    def fixed_tensors(self) -> dict[str, Tensor]:
        """Return the memory: one tensor for each window (2, Q, C)."""
        entries = self.memory.entries[0].cpu()
        return {
            _entry(number): entry for number, entry in zip(self.memory.windows.tolist(), entries, strict=True)
        }

    def to(self, device: torch.device) -> "PropagationState":
        """Return the same state on another device."""
        memory = replace(self.memory, entries=self.memory.entries.to(device))
        return PropagationState(queries=self.queries.to(device), memory=memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagatedQueries:
    """Runs the window decoder over the windows of a video."""

    decoder: WindowDecoder
    selection: ProposalSelection  # which queries are objects in a window
    max_windows: int | None  # kept in memory; None for all

    def start(self, window: FrameQueryWindow) -> PropagationState:
        """Return the state before the first window: learned queries, and no memory."""
        queries = self.decoder.first_queries(1)
        return PropagationState(queries=queries, memory=PrototypeMemory.empty(queries))

    def step(self, state: PropagationState, window: FrameQueryWindow) -> tuple[PropagationState, WindowSlots]:
        """Return the state after a window, and its slots sorted by track id."""
        precision = state.queries.dtype  # autocast may have computed the window in a lower one
        entering = self.decoder.with_memory(state.queries, state.memory)
        queries = self.decoder(entering, window.frame_tokens[None].to(precision))[-1]
        heads = self.decoder.heads(queries)
        masks = torch.einsum("qc,tchw->tqhw", heads.mask_embeds[0], window.pixel_embeds.to(precision))
        object_logits = self.decoder.object_head.object_logit(heads.class_logits)[0]
        scores = object_logits.sigmoid()
        chosen = self.selection.choose(masks, scores).sort().values
        slots = WindowSlots(
            track_ids=chosen + 1,
            object_scores=scores[chosen],
            object_logits=object_logits[chosen],
            instance_tokens=heads.class_logits[0, chosen],
            mask_quality=None,
            mask_logits=masks[:, chosen],
            geometry=window.geometry,
        )
        memory = self.decoder.remember(state.memory, heads.prototypes, max_windows=self.max_windows)
        return PropagationState(queries=queries, memory=memory), slots

    def restore(self, tensors: Mapping[str, Tensor]) -> PropagationState:
        """Return the state of both its parts. Raises KeyError when a tensor is missing."""
        queries, windows = tensors["queries"], tensors["windows"]
        entries = [tensors[_entry(number)] for number in windows.tolist()]
        empty = PrototypeMemory.empty(queries)
        memory = replace(
            empty,
            entries=torch.stack(entries)[None] if entries else empty.entries,
            windows=windows,
            num_seen=int(tensors["num_windows"]),
        )
        return PropagationState(queries=queries, memory=memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAfterwards:
    """Carried queries whose masks are named when they are there: tokens of CLIP instead of class logits."""

    queries: PropagatedQueries
    mask_naming: MaskNaming

    def start(self, window: ImagedWindow) -> PropagationState:
        """Return the state before the first window."""
        return self.queries.start(window.window)

    def step(self, state: PropagationState, window: ImagedWindow) -> tuple[PropagationState, WindowSlots]:
        """Return the state after a window, and its slots sorted by track id."""
        state, slots = self.queries.step(state, window.window)
        tokens = self.mask_naming.tokens(window.images, slots.mask_logits, slots.geometry)
        return state, replace(slots, instance_tokens=tokens)

    def restore(self, tensors: Mapping[str, Tensor]) -> PropagationState:
        """Return the state of both its parts. Raises KeyError when a tensor is missing."""
        return self.queries.restore(tensors)


def _entry(window: int) -> str:
    return f"window.{window}"
