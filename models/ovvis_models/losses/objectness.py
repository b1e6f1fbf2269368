"""Is a query an object: cross-entropy over all queries."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def objectness_loss(
    object_logits: Float[Tensor, "L B Q"],
    wanted: Float[Tensor, "L B Q"],
    *,
    no_object_weight: float | Float[Tensor, "B Q"],
) -> Float[Tensor, ""]:
    """Return the weighted mean cross-entropy of each layer, summed over layers.

    `wanted` is how much of an object each query is, in [0, 1]. Queries without an object (0) count
    `no_object_weight` (all alike or each its own), the others 1; the mean is over these weights.
    """
    weight = torch.where(wanted > 0, 1.0, torch.as_tensor(no_object_weight).to(wanted))
    loss = F.binary_cross_entropy_with_logits(object_logits, wanted, reduction="none")
    return ((loss * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)).sum()
