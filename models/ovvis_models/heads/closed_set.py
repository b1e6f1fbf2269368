"""Closed-set instances as defined by Mask2Former and MinVIS: the best (query, class) pairs."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

AREA_EPS_PX = 1e-6  # from the published evaluation; gives an empty mask a quality of 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedQueries:
    """N pairs of a query and a class; a query may be in several pairs."""

    query_index: Int[Tensor, " N"]
    class_index: Int[Tensor, " N"]
    class_scores: Float[Tensor, " N"]


def best_pairs(class_logits: Float[Tensor, "Q K_plus_1"], *, num_pairs: int) -> ClassifiedQueries:
    """Return the `num_pairs` pairs with the highest class probability, best first.

    The last column of `class_logits` is the "no object" class. All Q x K pairs are returned if there are
    fewer than `num_pairs`.
    """
    probs = class_logits.softmax(dim=-1)[:, :-1]
    num_classes = probs.shape[1]
    scores, flat = probs.flatten().topk(min(num_pairs, probs.numel()))
    return ClassifiedQueries(
        query_index=flat // num_classes, class_index=flat % num_classes, class_scores=scores
    )


def mask_quality(mask_logits: Float[Tensor, "*batch h w"]) -> Float[Tensor, "*batch"]:
    """Return the mean probability inside each mask (where the logit is above 0); 0 for an empty mask.

    The published evaluation computes it at the size of the original frame and multiplies it into the class
    score.
    """
    inside = (mask_logits > 0).to(mask_logits.dtype)
    total = (mask_logits.sigmoid() * inside).sum(dim=(-1, -2))
    return total / (inside.sum(dim=(-1, -2)) + AREA_EPS_PX)
