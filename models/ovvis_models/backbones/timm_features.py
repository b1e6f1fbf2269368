"""Convolutional backbones from timm with maps of strides 4, 8, 16 and 32."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

STRIDES = (4, 8, 16, 32)

Norm = Literal["batch", "frozen", "instance"]


class InstanceNorm(nn.GroupNorm):
    """Normalization of each channel of each image by its own mean and variance.

    torch's InstanceNorm2d would lose the channels-last order and refuse maps of one pixel.
    """

    def __init__(
        self, num_channels: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(num_channels, num_channels, device=device, dtype=dtype)


class TimmBackbone(nn.Module):
    """Feature extractor of a timm model; untrained until weights are loaded.

    A "frozen" norm is a fixed affine map with the state of a batch norm, as in detection networks that start
    from published weights. An "instance" norm computes the same in training and evaluation, whatever else is
    in the batch, as small batches of similar frames need.
    """

    def __init__(self, name: str, *, arguments: Mapping[str, object] | None = None, norm: Norm) -> None:
        import timm  # slow, and not needed by every model
        from timm.layers import freeze_batch_norm_2d

        super().__init__()
        extra: dict[str, Any] = dict(arguments or {})  # checked by timm
        if norm == "instance":
            extra["norm_layer"] = InstanceNorm
        body = timm.create_model(
            name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4), **extra
        )
        reductions = tuple(body.feature_info.reduction())
        if reductions != STRIDES:
            raise ValueError(f"backbone {name} has strides {reductions}, not {STRIDES}")
        self.channels: tuple[int, ...] = tuple(body.feature_info.channels())
        self.body: nn.Module = freeze_batch_norm_2d(body) if norm == "frozen" else body

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _c _h _w"]]:
        """Return the maps of strides 4, 8, 16, 32."""
        features: list[Tensor] = self.body(images)
        return features
