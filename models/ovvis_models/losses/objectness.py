"""Is a query an object: cross-entropy over all queries."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def objectness_loss(
    object_logits: Float[Tensor, "L B Q"], taken: Bool[Tensor, "L B Q"], *, no_object_weight: float
) -> Float[Tensor, ""]:
    """Return the weighted mean cross-entropy of each layer, summed over layers.

    Queries that take no object count `no_object_weight`, the others 1; the mean is over these weights.
    """
    wanted = taken.to(object_logits.dtype)
    weight = wanted + (1 - wanted) * no_object_weight
    loss = F.binary_cross_entropy_with_logits(object_logits, wanted, reduction="none")
    return ((loss * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))).sum()
