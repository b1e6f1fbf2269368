"""What is folded changes nothing but the speed."""

import pytest
import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from ovvis_models.backbones.clip_maps import clip_maps
from ovvis_models.backbones.folding import fold_norms, fold_quick_gelus
from ovvis_models.backbones.timm_features import TimmBackbone
from ovvis_models.catalog import CATALOG
from ovvis_models.networks.clip import build_clip

FixedNorm = (nn.BatchNorm2d, FrozenBatchNorm2d)


def _resnet() -> nn.Module:
    return TimmBackbone("resnet18", norm="frozen")


def _clip_resnet() -> nn.Module:
    return clip_maps(build_clip(CATALOG["clipvis-tiny"].clip).visual)


@pytest.mark.parametrize("backbone", [_resnet, _clip_resnet])
def test_folded_norms_give_the_same_maps(backbone) -> None:
    torch.manual_seed(0)
    network = backbone().eval().double()
    for norm in network.modules():
        if isinstance(norm, FixedNorm):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
            norm.weight.data.uniform_(0.5, 1.5)
            norm.bias.data.normal_()
    images = torch.randn(1, 3, 64, 96, dtype=torch.double)
    with torch.inference_mode():
        before = network(images)
        fold_norms(network)
        after = network(images)
    assert not any(isinstance(module, FixedNorm) for module in network.modules())
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b)


def test_a_norm_without_its_convolution_is_refused() -> None:
    with pytest.raises(ValueError, match="follows no convolution"):
        fold_norms(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(5)))


def test_a_folded_quick_gelu_gives_the_same() -> None:
    torch.manual_seed(0)
    block = ResidualAttentionBlock(16, 2, act_layer=QuickGELU).double().eval()
    x = torch.randn(2, 5, 16, dtype=torch.double)
    with torch.inference_mode():
        before = block(x)
        fold_quick_gelus(block)
        after = block(x)
    assert not any(isinstance(module, QuickGELU) for module in block.modules())
    torch.testing.assert_close(before, after)
