"""A frozen EfficientNet-Lite as a backbone: maps of strides 4, 8, 16 and 32.

Network: EfficientNet (Tan and Le, ICML 2019) in its Lite form, as timm builds it, without its classifier.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from timm.models.efficientnet import EfficientNet

_LAST_STAGES = (1, 2, 4, 6)  # the last before the stride doubles, and the last of all


class EfficientNetMaps(nn.Module):
    """The convolutions up to the last map. Never trained: its norms keep their statistics."""

    def __init__(self, network: "EfficientNet") -> None:
        """Shares its modules with `network`."""
        super().__init__()
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.stages = network.blocks
        self.channels: tuple[int, ...] = tuple(_out_channels(network.blocks[index]) for index in _LAST_STAGES)
        self.requires_grad_(requires_grad=False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _c _h _w"]]:
        """Return the maps of strides 4, 8, 16, 32."""
        maps = []
        x: Tensor = self.stem(images)
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _LAST_STAGES:
                maps.append(x)
        return maps


def efficientnet(
    name: str, *, weights: Mapping[str, Tensor] | None = None
) -> tuple[EfficientNetMaps, nn.Sequential]:
    """Return the backbone and what stands between its last map and the classifier, of timm's `name`.

    Args:
        name: such as `tf_efficientnet_lite2`.
        weights: of the whole network, as timm names them; None: random ones.
    """
    import timm  # slow, and not needed by every model

    network = timm.create_model(name, pretrained=False)
    if weights is not None:
        network.load_state_dict(dict(weights))
    head = nn.Sequential(network.conv_head, network.bn2).requires_grad_(requires_grad=False)
    return EfficientNetMaps(network), head.eval()


def _out_channels(stage: nn.Module) -> int:
    return int([m for m in stage.modules() if isinstance(m, nn.Conv2d)][-1].out_channels)
