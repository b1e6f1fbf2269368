"""Mask losses at sampled points, most of them where the prediction is least certain (PointRend)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ovvis_models.blocks.decoder_output import LayerOutput
from ovvis_models.losses.matcher import Assignment
from ovvis_models.losses.points import random_points, read_points
from ovvis_models.losses.targets import ObjectBatch

DICE_SMOOTHING = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSampling:
    """Number of points of a mask loss, and how they are chosen."""

    num_points: int
    oversample: float = 3.0  # candidates = oversample * num_points
    importance: float = (
        0.75  # share of the points taken from the least certain candidates; the rest is uniform
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskReads:
    """Logits and targets of pairs at their points; `weight` is 0 for pairs that are not assigned."""

    logits: Float[Tensor, "L G P"]
    wanted: Float[Tensor, "L G P"]
    weight: Float[Tensor, "L G"]


def read_masks(
    layers: Sequence[LayerOutput],
    objects: ObjectBatch,
    assignment: Assignment,
    *,
    sampling: PointSampling,
    generator: torch.Generator | None,
) -> MaskReads:
    """Return the logits (with gradients) and targets that the mask losses compare."""
    like = objects.masks
    num_layers, num_objects = assignment.query_index.shape
    chosen = torch.stack(
        [
            layer.mask_logits[objects.image_index, index].to(like.dtype)
            for layer, index in zip(layers, assignment.query_index, strict=True)
        ]
    ).flatten(0, 1)[:, None]  # L*G 1 h w
    points = uncertain_points(chosen.detach(), sampling=sampling, generator=generator)
    logits = read_points(chosen, points)[:, 0]
    by_object = torch.unflatten(points, 0, (num_layers, num_objects)).transpose(0, 1).flatten(1, 2)
    wanted = read_points(objects.masks, by_object)[:, 0]  # G L*P
    return MaskReads(
        logits=torch.unflatten(logits, 0, (num_layers, num_objects)),
        wanted=torch.unflatten(wanted, 1, (num_layers, -1)).transpose(0, 1),
        weight=assignment.assigned.to(like.dtype),
    )


def uncertain_points(
    logits: Float[Tensor, "M 1 h w"],
    *,
    sampling: PointSampling,
    generator: torch.Generator | None,
) -> Float[Tensor, "M P 2"]:
    """Return points, a share of which has the smallest |logit| among random candidates."""
    count = logits.shape[0]
    num_candidates = int(sampling.num_points * sampling.oversample)
    num_uncertain = int(sampling.num_points * sampling.importance)
    candidates = random_points(count, num_points=num_candidates, like=logits, generator=generator)
    certainty = read_points(logits, candidates)[:, 0].abs()
    nearest = certainty.topk(num_uncertain, dim=1, largest=False, sorted=False).indices
    kept = candidates.gather(1, nearest[..., None].expand(-1, -1, 2))
    uniform = random_points(
        count, num_points=sampling.num_points - num_uncertain, like=logits, generator=generator
    )
    return torch.cat([kept, uniform], dim=1)


def mask_bce_loss(reads: MaskReads, *, num_objects: float) -> Float[Tensor, ""]:
    """Return cross-entropy: mean over points, sum over pairs and layers, divided by `num_objects`."""
    loss = F.binary_cross_entropy_with_logits(reads.logits, reads.wanted, reduction="none").mean(dim=-1)
    return (loss * reads.weight).sum() / num_objects


def dice_loss(reads: MaskReads, *, num_objects: float) -> Float[Tensor, ""]:
    """Return one minus the dice ratio: sum over pairs and layers, divided by `num_objects`."""
    probs = reads.logits.sigmoid()
    shared = (probs * reads.wanted).sum(dim=-1)
    sizes = probs.sum(dim=-1) + reads.wanted.sum(dim=-1)
    loss = 1 - (2 * shared + DICE_SMOOTHING) / (sizes + DICE_SMOOTHING)
    return (loss * reads.weight).sum() / num_objects
