"""Loss of the predicted mask quality: L1 to the IoU at the sampled points (CLIP-VIS)."""

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

    The overlap is that of the thresholded prediction and the object, at the points of the mask losses,
    without a gradient. Only assigned pairs with any overlap count.

    Args:
        reads: predictions and targets of the mask losses.
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
    """Return the predicted overlap of the query assigned to each object, in each layer."""
    logits = [
        layer.quality_logits[objects.image_index, index]
        for layer, index in zip(layers, assignment.query_index, strict=True)
        if layer.quality_logits is not None
    ]
    return torch.stack(logits).sigmoid()
