"""Does a query know how good its own mask is? L1 to the overlap at the sampled points (CLIP-VIS)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.blocks.decoder_output import LayerOutput
from ovvis_models.losses.masks import MaskReads
from ovvis_models.losses.matcher import Assignment
from ovvis_models.losses.targets import ObjectBatch


def mask_quality_loss(reads: MaskReads, quality: Float[Tensor, "L G"]) -> Float[Tensor, ""]:
    """Return the mean difference to the overlap (IoU) in each layer, summed over layers.

    The overlap is that of the hard prediction and the object at the points that the mask losses read; it
    carries no gradient. Only assigned pairs that overlap at all count.

    Args:
        reads: what the mask losses compare.
        quality: expected overlap of the same pairs, in [0, 1].
    """
    with torch.no_grad():
        predicted, wanted = reads.logits > 0, reads.wanted > 0.5
        shared = (predicted & wanted).sum(dim=-1).to(quality.dtype)
        overlap = shared / (predicted | wanted).sum(dim=-1).clamp(min=1)
        counts = reads.weight * (overlap > 0)
    difference = (quality - overlap).abs() * counts
    return (difference.sum(dim=1) / counts.sum(dim=1).clamp(min=1)).sum()


def assigned_quality(
    layers: Sequence[LayerOutput], objects: ObjectBatch, assignment: Assignment
) -> Float[Tensor, "L G"]:
    """Return the expected overlap of the query that takes each object, in each layer."""
    logits = [
        layer.quality_logits[objects.image_index, index]
        for layer, index in zip(layers, assignment.query_index, strict=True)
        if layer.quality_logits is not None
    ]
    return torch.stack(logits).sigmoid()
