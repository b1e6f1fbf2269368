"""The interface of published scoring: evidence per window in, scored (slot, class) pairs out.

    evidence of windows --score--> the best pairs of slot and class, with the frames where they are absent

A published protocol keeps every query as a slot from the first window to the last. Some of them read the
evidence twice (CLIP-VIS decides in a second pass which frames of a listed slot are absent), so `score`
takes a function that starts a new pass. Evidence is small; the caller may keep it on disk, so memory stays
flat.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ovvis_models.preprocess import logits_to_input
from ovvis_models.structures import ImageGeometry, WindowSlots

MeasuredAt = Literal["stride 4", "resized frame"]
"""Where areas and confidences of masks are measured: on the logits as they are, padding included, or resized
to the network's input, without the padding (GenVIS)."""


_MASKS_AT_ONCE = 16  # limits the memory for masks at the size of the network's input


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotEvidence:
    """What one window of T frames says about S slots: numbers, but no masks."""

    object_scores: Float[Tensor, " S"]  # in [0, 1]
    object_logits: Float[Tensor, " S"]
    instance_tokens: Float[Tensor, "S D"]
    mask_quality: Float[Tensor, " S"] | None
    mask_area: Float[Tensor, "T S"]  # places of the mask; see `MeasuredAt`
    mask_confidence: Float[Tensor, "T S"]  # sum of the probabilities at these places

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return self.mask_area.shape[0]


class ClassScorer(Protocol):
    """The classes asked for, as the model scores tokens by them."""

    def probabilities(self, tokens: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
        """Return the probability of each class, in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPairs:
    """The N best pairs of a slot and a class, best first. A slot may stand in several."""

    slot_index: Int[Tensor, " N"]
    class_index: Int[Tensor, " N"]
    scores: Float[Tensor, " N"]
    absent: Bool[Tensor, "N F"]  # frames of the video whose mask is emptied

    def ranked(self) -> "ScoredPairs":
        """Return the pairs in the order of their scores, best first."""
        order = self.scores.argsort(descending=True, stable=True)
        return ScoredPairs(
            slot_index=self.slot_index[order],
            class_index=self.class_index[order],
            scores=self.scores[order],
            absent=self.absent[order],
        )


Evidence = Callable[[], Iterable[SlotEvidence]]
"""Starts a pass over the evidence of a video, window by window."""


class VideoScoring(Protocol):
    """The published scoring of a system."""

    def score(self, evidence: Evidence, classes: ClassScorer, *, num_pairs: int) -> ScoredPairs:
        """Return the best pairs of a video with at least one window; fewer when there are not so many."""
        ...


def evidence_of(slots: WindowSlots, *, measured_at: MeasuredAt = "stride 4") -> SlotEvidence:
    """Return the evidence of a window, without its masks, on the CPU."""
    frames = [
        _area_and_confidence(logits, slots.geometry, measured_at=measured_at) for logits in slots.mask_logits
    ]
    areas, confidences = zip(*frames, strict=True)
    quality = slots.mask_quality
    return SlotEvidence(
        object_scores=slots.object_scores.cpu(),
        object_logits=slots.object_logits.cpu(),
        instance_tokens=slots.instance_tokens.cpu(),
        mask_quality=None if quality is None else quality.cpu(),
        mask_area=torch.stack(areas).cpu(),
        mask_confidence=torch.stack(confidences).cpu(),
    )


def _area_and_confidence(
    mask_logits: Float[Tensor, "S h w"], geometry: ImageGeometry, *, measured_at: MeasuredAt
) -> tuple[Float[Tensor, " S"], Float[Tensor, " S"]]:
    """Return the number of places inside each mask of a frame, and the sum of the probabilities there."""
    areas, confidences = [], []
    for some in torch.split(mask_logits, _MASKS_AT_ONCE):
        logits = logits_to_input(some, geometry) if measured_at == "resized frame" else some
        inside = (logits > 0).to(logits.dtype)
        areas.append(inside.sum(dim=(-1, -2)))
        confidences.append((logits.sigmoid() * inside).sum(dim=(-1, -2)))
    return torch.cat(areas), torch.cat(confidences)


def top_pairs(scores: Float[Tensor, "S K"], *, num_pairs: int) -> ScoredPairs:
    """Return the pairs with the highest scores, best first, with no frame absent (F = 0)."""
    best, flat = scores.flatten().topk(min(num_pairs, scores.numel()))
    num_classes = scores.shape[1]
    return ScoredPairs(
        slot_index=flat // num_classes,
        class_index=flat % num_classes,
        scores=best,
        absent=torch.zeros((best.shape[0], 0), dtype=torch.bool),
    )


def never_absent(pairs: ScoredPairs, *, num_frames: int) -> ScoredPairs:
    """Return the pairs with masks in all frames."""
    return replace(pairs, absent=torch.zeros((pairs.scores.shape[0], num_frames), dtype=torch.bool))
