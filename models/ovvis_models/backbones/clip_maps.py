"""Convolutional tower of a frozen CLIP as a backbone: maps of strides 4, 8, 16 and 32 (CLIP-VIS)."""

from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ClipMaps(nn.Module):
    """CLIP's tower without its pooling, which is in `heads/mask_pooling.py`. Never trained, always in
    evaluation mode.

    `clip_maps` builds one from a CLIP.
    """

    def __init__(self, *, stem: nn.Module, stages: nn.ModuleList, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = stem.requires_grad_(requires_grad=False)
        self.stages = stages.requires_grad_(requires_grad=False)
        self.channels = channels
        self.train(False)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Stay in evaluation mode: the norms keep CLIP's statistics."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _c _h _w"]]:
        """Return the maps of strides 4, 8, 16, 32; CLIP pools the last."""
        maps = []
        x: Tensor = self.stem(images)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def clip_maps(visual: nn.Module) -> ClipMaps:
    """Return a backbone that shares its modules with the vision tower of a CLIP.

    Raises:
        ValueError: the tower is not convolutional.
    """
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel

    if isinstance(visual, ModifiedResNet):
        parts = [(f"conv{i}", f"bn{i}", f"act{i}") for i in (1, 2, 3)]
        stem = nn.Sequential(*(getattr(visual, name) for names in parts for name in names), visual.avgpool)
        layers = (visual.layer1, visual.layer2, visual.layer3, visual.layer4)
        channels = tuple(layer[-1].conv3.out_channels for layer in layers)
        return ClipMaps(stem=stem, stages=nn.ModuleList(layers), channels=channels)
    if isinstance(visual, TimmModel) and hasattr(visual.trunk, "stages"):
        trunk = visual.trunk
        channels = tuple(info["num_chs"] for info in trunk.feature_info)
        return ClipMaps(stem=trunk.stem, stages=nn.ModuleList(trunk.stages), channels=channels)
    raise ValueError(f"only convolutional CLIP towers have maps, got {type(visual).__name__}")
