"""Convolutional backbones from timm, as maps of strides 4, 8, 16 and 32."""

from collections.abc import Mapping
from typing import Any

import timm
from jaxtyping import Float
from timm.layers import freeze_batch_norm_2d
from torch import Tensor, nn

STRIDES = (4, 8, 16, 32)


class TimmBackbone(nn.Module):
    """A timm model cut to its four feature maps; untrained until weights are loaded.

    `frozen_norm` replaces every batch norm by a fixed affine map with the same state, as detection networks
    do when their backbone starts from published weights.
    """

    def __init__(
        self, name: str, *, arguments: Mapping[str, object] | None = None, frozen_norm: bool
    ) -> None:
        super().__init__()
        extra: dict[str, Any] = dict(arguments or {})  # timm checks them
        body = timm.create_model(
            name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4), **extra
        )
        reductions = tuple(body.feature_info.reduction())
        if reductions != STRIDES:
            raise ValueError(f"backbone {name} has strides {reductions}, not {STRIDES}")
        self.channels: tuple[int, ...] = tuple(body.feature_info.channels())
        self.body: nn.Module = freeze_batch_norm_2d(body) if frozen_norm else body

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _c _h _w"]]:
        """Return the maps of strides 4, 8, 16, 32."""
        features: list[Tensor] = self.body(images)
        return features
