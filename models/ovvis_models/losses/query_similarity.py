"""Similarity loss of VITA and GenVIS: queries of the same object are alike, in frames and in the window.

Embeddings of frame queries and of window queries that are assigned an object are compared, all with all of
one window. The product of two is the logit of "the same object".
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def query_similarity_loss(embeds: Float[Tensor, "B S C"], objects: Int[Tensor, "B S"]) -> Float[Tensor, ""]:
    """Return the mean cross-entropy over the pairs of each video; zero where no video has any.

    Args:
        embeds: of frame and window queries together.
        objects: the object of each query, below 0 for none.
    """
    logits = torch.einsum("bsc,brc->bsr", embeds, embeds)
    has_object = objects >= 0
    pairs = (has_object[:, :, None] & has_object[:, None]).to(logits.dtype)
    same = (objects[:, :, None] == objects[:, None]).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, same, reduction="none")
    counts = pairs.sum(dim=(1, 2))
    means = (loss * pairs).sum(dim=(1, 2)) / counts.clamp(min=1)
    return means.sum() / (counts > 0).sum().clamp(min=1)
