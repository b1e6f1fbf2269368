"""Coverage pooling: instance tokens as means over each mask of a classification network's features.

It differs from the mask pooling of CLIP-VIS in two ways. Each position is weighted by the fraction of it that
the mask covers, because a small object may cover less than half of any position of a stride-32 map. The
stride-16 map is pooled too, which helps to classify small objects.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MIDDLE_SCALE = 0.15
"""Factor of the stride-16 features in a token; without it they would outweigh the stride-32 features."""

ONE = 4.0
"""Constant component of a token; the same component of a word table's row acts as a bias."""

_COVER_EPS = 1e-4


class CoveragePooling(nn.Module):
    """Means over each mask, of the last convolution of a classification network and of its stride-16 map."""

    def __init__(self, *, head: nn.Module, width: int) -> None:
        """Store the modules, and freeze `head`.

        Args:
            head: the layers of the network between its last map and its global mean pooling.
            width: width of the tokens: output channels of `head`, channels of the stride-16 map, and 2.
        """
        super().__init__()
        self.head = head.requires_grad_(requires_grad=False)
        self.embed_dim = width

    def forward(
        self, maps: Sequence[Float[Tensor, "B _c _h _w"]], mask_logits: Float[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return the token of each mask, not normalised; zeros for an empty mask.

        Args:
            maps: feature maps at strides 4, 8, 16, 32 of the padded input.
            mask_logits: mask logits at stride 4 of the padded input.
        """
        inside = (mask_logits > 0).to(mask_logits.dtype)
        last = covered_mean(self.head(maps[-1]), F.avg_pool2d(inside, 8))
        middle = covered_mean(maps[-2], F.avg_pool2d(inside, 4))
        seen = inside.flatten(2).any(dim=2)[..., None]
        one = torch.full_like(last[..., :1], ONE)
        tokens = torch.cat([last, middle * MIDDLE_SCALE, one, torch.zeros_like(one)], dim=-1)
        return tokens * seen


def covered_mean(
    features: Float[Tensor, "B C h w"], coverage: Float[Tensor, "B Q h w"]
) -> Float[Tensor, "B Q C"]:
    """Return the mean of the features of all positions, weighted by their coverage."""
    total = coverage.flatten(2) @ features.flatten(2).transpose(1, 2)
    return total / (coverage.sum(dim=(-1, -2))[..., None] + _COVER_EPS)
