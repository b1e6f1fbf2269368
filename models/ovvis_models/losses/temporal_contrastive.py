"""The temporal contrastive loss L_TC of InstFormer (Eq. 6), which trains the rollout tracker.

It pulls the token that the tracker predicts for a track towards the track's own token in that frame, and
pushes it away from the tokens of all other objects, whatever their category.

Deviations from the paper, and readings of it:

- Eq. 6 as printed compares the prediction for frame t with the tokens of frame t-1. Here it is compared with
  those of frame t: Sec. 4.3 describes it as a prediction of the current frame's token.
- Eq. 6 sums a cross-entropy of cosines against the identity matrix over all pairs, which can be read in two
  ways. `temporal_contrastive_loss` takes the softmax over each row, as contrastive losses usually do.
  `temporal_match_loss` takes each pair alone; its decision boundary is the tracker's match threshold.
- The paper names no temperature; both functions have one, and both return means instead of sums.
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
    """Return the mean cross-entropy over the objects seen before and visible now; 0 without any.

    Row i of both tensors is the same object. `predicted_valid` marks objects seen before this frame,
    `next_valid` objects visible in it. Objects visible for the first time are negatives for the others.
    """
    cosine = _cosine(predicted_tokens, next_tokens)
    logits = (cosine / temperature).masked_fill(~next_valid, float("-inf"))
    rows = (predicted_valid & next_valid).nonzero()[:, 0]
    if rows.shape[0] == 0:
        return cosine.sum() * 0.0  # a zero with a gradient, so that backward() works
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
    """Return the binary cross-entropy of (cosine - threshold) / temperature.

    The mean over pairs of the same object and the mean over all other pairs are added. `threshold` is the
    tracker's `match_threshold`. Arguments as in `temporal_contrastive_loss`.
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
