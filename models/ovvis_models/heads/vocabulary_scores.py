"""Naming: instance tokens against the embeddings of a vocabulary."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

ClassLink = Callable[[Float[Tensor, "*batch K"]], Float[Tensor, "*batch K"]]
"""Turns class logits into probabilities."""


def one_of_all(logits: Float[Tensor, "*batch K"]) -> Float[Tensor, "*batch K"]:
    """Return probabilities that sum to 1: an instance is of one class (softmax)."""
    return logits.softmax(dim=-1)


def each_alone(logits: Float[Tensor, "*batch K"]) -> Float[Tensor, "*batch K"]:
    """Return the probability of each class by itself, whatever the others (sigmoid)."""
    return logits.sigmoid()


def class_logits(
    instance_tokens: Float[Tensor, "*batch D"],
    class_embeds: Float[Tensor, "K D"],
    *,
    logit_scale: float | Tensor,
) -> Float[Tensor, "*batch K"]:
    """Scaled cosine similarities of unit-norm tokens and unit-norm class embeddings."""
    return instance_tokens @ class_embeds.T * logit_scale


def class_probabilities(
    instance_tokens: Float[Tensor, "*batch D"],
    class_embeds: Float[Tensor, "K D"],
    *,
    logit_scale: float | Tensor,
    num_asked: int,
) -> Float[Tensor, "*batch A"]:
    """Probability of each of the A = `num_asked` asked names among all K, in [0, 1].

    The first `num_asked` rows of `class_embeds` are asked, the others are distractors: they take the
    probability of what is none of the asked, so a row may sum to less than 1.
    Raises ValueError unless 1 <= num_asked <= K.
    """
    if not 1 <= num_asked <= class_embeds.shape[0]:
        raise ValueError(f"num_asked must be in 1..{class_embeds.shape[0]} (the vocabulary), got {num_asked}")
    logits = class_logits(instance_tokens, class_embeds, logit_scale=logit_scale)
    return logits.softmax(dim=-1)[..., :num_asked]
