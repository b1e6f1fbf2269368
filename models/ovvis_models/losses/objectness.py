"""Objectness loss: cross-entropy over all queries."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def objectness_loss(
    object_logits: Float[Tensor, "L B Q"],
    wanted: Float[Tensor, "L B Q"],
    *,
    no_object_weight: float,
    unknown: Bool[Tensor, "B Q"] | None = None,
) -> Float[Tensor, ""]:
    """Return the weighted mean cross-entropy of each layer, summed over layers.

    `wanted` is the objectness target of each query, in [0, 1]. Queries with target 0 have weight
    `no_object_weight`, the others 1; the mean is over these weights. `unknown` queries, on an
    unlabelled part of the image, count only if their target is above 0.
    """
    weight = torch.where(wanted > 0, 1.0, no_object_weight)
    if unknown is not None:
        weight = weight.masked_fill(unknown & (wanted <= 0), 0.0)
    loss = F.binary_cross_entropy_with_logits(object_logits, wanted, reduction="none")
    return ((loss * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1e-6)).sum()
