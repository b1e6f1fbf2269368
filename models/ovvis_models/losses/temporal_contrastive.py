"""L_TC (paper Eq. 6): a track's predicted token is like its own next token and unlike every other's.

Eq. 6 sums a cross-entropy of cosines against the identity matrix over all pairs. It can be read in two ways,
and both are here: `temporal_contrastive_loss` takes the softmax over the row (which of these objects am I?),
as contrastive losses usually do; `temporal_match_loss` takes each pair alone (are these two the same
object?), which also puts the boundary at the similarity that the tracker later compares with. The indicator
is free of categories in both.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def temporal_contrastive_loss(
    predicted_tokens: Float[Tensor, "N F"],
    next_tokens: Float[Tensor, "N F"],
    *,
    predicted_valid: Bool[Tensor, " N"],
    next_valid: Bool[Tensor, " N"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Mean cross-entropy over the objects that were seen before and are visible now; 0 when there are none.

    Row i of both is the same object. `predicted_valid` marks objects seen before the frame, `next_valid`
    objects visible in it; one that is visible but was not seen before still is a negative for the others.
    """
    cosine = _cosine(predicted_tokens, next_tokens)
    logits = (cosine / temperature).masked_fill(~next_valid, float("-inf"))
    rows = (predicted_valid & next_valid).nonzero()[:, 0]
    if rows.shape[0] == 0:
        return cosine.sum() * 0.0  # keeps the graph, so that a batch without objects can be back-propagated
    return F.cross_entropy(logits[rows], rows)


def temporal_match_loss(
    predicted_tokens: Float[Tensor, "N F"],
    next_tokens: Float[Tensor, "N F"],
    *,
    predicted_valid: Bool[Tensor, " N"],
    next_valid: Bool[Tensor, " N"],
    temperature: float,
    threshold: float,
) -> Float[Tensor, ""]:
    """Binary cross-entropy of (cosine - threshold) / temperature: mean of equal + mean of unequal pairs.

    `threshold` is the tracker's `match_threshold`. Arguments as in `temporal_contrastive_loss`.
    """
    logits = (_cosine(predicted_tokens, next_tokens) - threshold) / temperature
    same = torch.eye(logits.shape[0], dtype=torch.bool, device=logits.device)
    pairs = predicted_valid[:, None] & next_valid[None, :]
    losses = F.binary_cross_entropy_with_logits(logits, same.to(logits.dtype), reduction="none")
    return _masked_mean(losses, pairs & same) + _masked_mean(losses, pairs & ~same)


def _cosine(predicted: Float[Tensor, "N F"], actual: Float[Tensor, "N F"]) -> Float[Tensor, "N N"]:
    return F.normalize(predicted, dim=-1) @ F.normalize(actual, dim=-1).T


def _masked_mean(values: Float[Tensor, "N N"], mask: Bool[Tensor, "N N"]) -> Float[Tensor, ""]:
    return (values * mask).sum() / mask.sum().clamp(min=1)
