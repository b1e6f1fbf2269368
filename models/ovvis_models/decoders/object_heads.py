"""Heads for objectness and mask quality of each query.

Objectness is one class-agnostic logit, two columns for object and nothing (CLIP-VIS, OV2Seg), or a closed set
of classes plus no-object.
"""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.blocks.mlp import MLP

QUALITY_LAYERS = 3  # of the mask-quality head of CLIP-VIS


class ObjectHead(Protocol):
    """A head from queries to object logits, and from those to one logit per query."""

    def __call__(self, query_embeds: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q O"]:
        """Return the head's raw columns."""
        ...

    def object_logit(self, object_logits: Float[Tensor, "B Q O"]) -> Float[Tensor, "B Q"]:
        """Return the logit whose sigmoid is the probability of being any object."""
        ...


class ClassAgnosticHead(nn.Module):
    """One logit per query."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, query_embeds: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q 1"]:
        """Return the object logit."""
        logits: Tensor = self.linear(query_embeds)
        return logits

    def object_logit(self, object_logits: Float[Tensor, "B Q 1"]) -> Float[Tensor, "B Q"]:
        """Return the only column."""
        return object_logits[..., 0]


class ClosedSetHead(nn.Module):
    """K class logits and, last, a no-object logit; their softmax gives probabilities."""

    def __init__(self, width: int, *, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, num_classes + 1)

    def forward(self, query_embeds: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q O"]:
        """Return the K + 1 logits."""
        logits: Tensor = self.linear(query_embeds)
        return logits

    def object_logit(self, object_logits: Float[Tensor, "B Q O"]) -> Float[Tensor, "B Q"]:
        """Return the logit of 1 - p(no object)."""
        return torch.logsumexp(object_logits[..., :-1], dim=-1) - object_logits[..., -1]


class ObjectOrNothingHead(nn.Module):
    """Two logits, object and nothing, whose softmax gives probabilities (CLIP-VIS, OV2Seg)."""

    def __init__(self, width: int, *, num_layers: int) -> None:
        super().__init__()
        self.mlp = MLP(width, hidden_dim=width, out_dim=2, num_layers=num_layers)

    def forward(self, query_embeds: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q 2"]:
        """Return both logits."""
        logits: Tensor = self.mlp(query_embeds)
        return logits

    def object_logit(self, object_logits: Float[Tensor, "B Q 2"]) -> Float[Tensor, "B Q"]:
        """Return the logit of the softmax's first column."""
        return object_logits[..., 0] - object_logits[..., 1]


class MaskQualityHead(nn.Module):
    """One logit per query, whose sigmoid is the expected overlap of its mask with the object (CLIP-VIS)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = MLP(width, hidden_dim=width, out_dim=1, num_layers=QUALITY_LAYERS)

    def forward(self, query_embeds: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q"]:
        """Return the logit."""
        logits: Tensor = self.mlp(query_embeds)
        return logits[..., 0]
