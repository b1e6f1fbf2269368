"""Class loss of queries over a large vocabulary: each class alone, on a sample of the classes (OVFormer).

With annotations of many classes, most of them absent from any batch, the loss compares the queries of objects
with the classes of the batch and a few more, drawn by how often they occur (the federated loss of Zhou et
al., "Probabilistic two-stage detection"). Queries without an object take no part: the object loss is theirs.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

LOSS_SCALE = 1.7  # of the published code


def sample_classes(
    present: Int[Tensor, " n"],
    *,
    frequency: Float[Tensor, " K"],
    num_classes: int,
    generator: torch.Generator | None = None,
) -> Int[Tensor, " S"]:
    """Return the classes in `present`, each once and sorted, and others up to `num_classes` in all.

    The others are drawn without replacement, with probability proportional to the root of `frequency`, the
    number of images with that class; classes of frequency 0 are never drawn. All those present are returned,
    even if they are more than `num_classes`.
    """
    chosen = torch.unique(present)
    weights = frequency.sqrt().index_fill(0, chosen, 0.0)
    num_others = min(num_classes - len(chosen), int((weights > 0).sum()))
    if num_others <= 0:
        return chosen
    others = torch.multinomial(weights, num_others, replacement=False, generator=generator)
    return torch.cat([chosen, others]).sort().values


def class_loss(
    logits: Float[Tensor, "L M K"],
    classes: Int[Tensor, " M"],
    *,
    sampled: Int[Tensor, " S"],
    num_queries: int,
) -> Float[Tensor, ""]:
    """Return the binary cross-entropy of M queries with the sampled classes, summed over layers.

    Args:
        logits: of the queries of objects, in each decoder layer.
        classes: of their objects; all of them are in `sampled`.
        sampled: classes that are compared, see `sample_classes`.
        num_queries: of all images of the batch, with and without an object; the sum is divided by it.
    """
    wanted = (classes[:, None] == sampled).to(logits.dtype).expand(logits.shape[0], -1, -1)
    total = F.binary_cross_entropy_with_logits(logits[..., sampled], wanted, reduction="sum")
    return LOSS_SCALE * total / num_queries
