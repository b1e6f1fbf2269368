"""Distractors whose embeddings are too similar to those of requested names."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MAX_COSINE = 0.85
"""Distractors more similar than this to a requested name (centred cosine of embeddings) are dropped."""

_MIN_ROWS_TO_CENTRE = 8


def distant_from(
    asked_embeds: Float[Tensor, "A D"],
    distractor_embeds: Float[Tensor, "K D"],
    *,
    max_cosine: float = MAX_COSINE,
) -> Bool[Tensor, " K"]:
    """Return which distractors are dissimilar to all requested names; finds synonyms that no table lists.

    Text embeddings of one CLIP model share a large common component (the cosine of any two names is 0.7 or
    more), so their mean is subtracted first if there are enough rows to estimate it.
    """
    everything = torch.cat([asked_embeds, distractor_embeds]).float()
    if len(everything) >= _MIN_ROWS_TO_CENTRE:
        everything = everything - everything.mean(dim=0)
    unit = torch.nn.functional.normalize(everything, dim=-1)
    cosine = unit[len(asked_embeds) :] @ unit[: len(asked_embeds)].T  # (K, A)
    return (cosine <= max_cosine).all(dim=1)
