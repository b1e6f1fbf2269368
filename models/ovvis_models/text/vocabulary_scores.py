"""Classification of instance tokens by their similarity to the embeddings of a vocabulary."""

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
    """Return the scaled cosine similarity of each unit-norm token and each unit-norm class embedding."""
    return instance_tokens @ class_embeds.T * logit_scale


def class_probabilities(
    instance_tokens: Float[Tensor, "*batch D"],
    class_embeds: Float[Tensor, "K D"],
    *,
    logit_scale: float | Tensor,
    num_asked: int,
) -> Float[Tensor, "*batch A"]:
    """Return the probabilities of the A requested classes, in [0, 1]; a row may sum to less than 1.

    The first A = `num_asked` rows of `class_embeds` are the requested classes. The others are distractors:
    they take part in the softmax and receive the probability of objects that are none of the requested
    classes.

    Raises:
        ValueError: unless 1 <= num_asked <= K.
    """
    if not 1 <= num_asked <= class_embeds.shape[0]:
        raise ValueError(f"num_asked must be in 1..{class_embeds.shape[0]} (the vocabulary), got {num_asked}")
    logits = class_logits(instance_tokens, class_embeds, logit_scale=logit_scale)
    return logits.softmax(dim=-1)[..., :num_asked]
