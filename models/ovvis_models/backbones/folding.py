"""Folding of frozen norms and activations into adjacent layers: same result, fewer passes over the maps."""

from typing import TYPE_CHECKING, Final

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

if TYPE_CHECKING:
    from torchvision.ops import FrozenBatchNorm2d

QUICK_GELU_SLOPE: Final = 1.702
"""QuickGELU is x * sigmoid(1.702 x), that is SiLU(1.702 x) / 1.702."""


@torch.no_grad()
def fold_norms(module: nn.Module) -> None:
    """Fold each batch norm in `module` into the convolution before it.

    A norm belongs to the nearest convolution before it in its parent, as in every ResNet of timm and
    open_clip. Afterwards the module can no longer be trained, nor load its former weights.
    The activation at the end of a norm of timm stays.

    Raises:
        ValueError: a norm has no convolution with as many channels before it.
    """
    from timm.layers import BatchNormAct2d
    from torchvision.ops import FrozenBatchNorm2d

    for parent in list(module.modules()):
        convolution: nn.Conv2d | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                convolution = child
            elif isinstance(child, nn.BatchNorm2d | FrozenBatchNorm2d):
                if convolution is None or convolution.out_channels != child.weight.shape[0]:
                    raise ValueError(f"norm '{name}' of {type(parent).__name__} follows no convolution")
                _fold(convolution, child)
                setattr(parent, name, child.act if isinstance(child, BatchNormAct2d) else nn.Identity())
                convolution = None


def _fold(convolution: nn.Conv2d, norm: "nn.BatchNorm2d | FrozenBatchNorm2d") -> None:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None, "norms of these backbones keep statistics"
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        mean,
        variance,
        norm.eps,
        norm.weight,
        norm.bias,
    )


@torch.no_grad()
def fold_quick_gelus(module: nn.Module) -> None:
    """Replace each QuickGELU between two linear layers by torch's SiLU: one pass instead of three.

    Afterwards the module can no longer load its former weights.
    """
    for parent in module.modules():
        if not isinstance(parent, nn.Sequential) or len(parent) != 3:
            continue
        before, activation, after = parent
        if type(activation).__name__ == "QuickGELU":  # of open_clip, which is slow to import
            assert isinstance(before, nn.Linear) and isinstance(after, nn.Linear), "as in CLIP's blocks"
            before.weight.mul_(QUICK_GELU_SLOPE)
            before.bias.mul_(QUICK_GELU_SLOPE)
            after.weight.div_(QUICK_GELU_SLOPE)
            setattr(parent, list(parent._modules)[1], nn.SiLU(inplace=True))
