"""Does a query know how good its own mask is? L1 to the overlap at the sampled points (CLIP-VIS)."""

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.losses.masks import MaskReads


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
