"""Instance tokens of a classification network: its last features, averaged over each mask.

CLIP-VIS pools the last map of CLIP inside each mask. Here two things differ. Each place is weighted by the
fraction of it that the mask covers, because on a map of stride 32 a small object covers no place by half. And
the map of stride 16 is pooled too, which helps to name small objects.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MIDDLE_SCALE = 0.15
"""Of the stride-16 features in a token: as published by the network they would outweigh the last ones."""

ONE = 4.0
"""The constant in a token; what a row holds in its place is its bias."""

_COVER_EPS = 1e-4


class CoveragePooling(nn.Module):
    """Last convolution of a classification network, then means over each mask."""

    def __init__(self, *, head: nn.Module, width: int) -> None:
        """Holds the modules that it is given.

        Args:
            head: what the network puts between its last map and the mean that it classifies.
            width: of the tokens: channels of what `head` returns and of the stride-16 map, and two more.
        """
        super().__init__()
        self.head = head.requires_grad_(requires_grad=False)
        self.embed_dim = width

    def forward(
        self, maps: Sequence[Float[Tensor, "B _c _h _w"]], mask_logits: Float[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return the token of each mask, of no particular length; zeros where there is no mask.

        Args:
            maps: of strides 4, 8, 16, 32 of the padded input.
            mask_logits: at stride 4 of it.
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
    """Return the mean of the places, each by the share of it that is covered."""
    total = coverage.flatten(2) @ features.flatten(2).transpose(1, 2)
    return total / (coverage.sum(dim=(-1, -2))[..., None] + _COVER_EPS)
