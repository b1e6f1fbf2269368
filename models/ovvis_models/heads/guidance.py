"""Attention guidance: mask logits to additive attention biases on CLIP's patch grid.

A bias is added to the attention logits from an instance token to the patches, before the softmax and equally
in every block and head. Table 5 of the OpenVIS paper compares two forms: a binary mask (worse) and one with
values from the logits (the paper's own).
"""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

TINY_PROBABILITY = 1e-12  # keeps the logarithm finite where the mask probability is 0


@runtime_checkable
class Guidance(Protocol):
    """Maps mask logits to attention biases. Implementations are modules, so guidance may be learned."""

    def __call__(
        self, mask_logits: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]
    ) -> Float[Tensor, "B N P"]:
        """Return biases for the P = grid_hw[0] * grid_hw[1] patches, row by row; 0 means no restriction."""
        ...


class LogProbabilityGuidance(nn.Module):
    """Guidance by the logarithm of the fraction of each patch that the mask covers.

    The fraction is the mean of sigmoid(mask logit) over the patch, so attention weights are proportional to
    the covered area. The mean is taken before the logarithm: a small object covers no patch fully, and a mean
    of logarithms would suppress all of its patches.

    Biases are relative to the patch with the largest coverage, whose bias is 0. Otherwise the register, which
    attends to the whole image, would outweigh the few patches of a small object.

    Biases are clamped at `floor`, so that some attention to the context remains.
    """

    def __init__(self, *, floor: float = -8.0) -> None:
        super().__init__()
        if floor >= 0:
            raise ValueError(f"guidance floor must be negative, got {floor}")
        self.floor = floor

    def forward(
        self, mask_logits: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]
    ) -> Float[Tensor, "B N P"]:
        """Return biases in [floor, 0]."""
        coverage = _resample(mask_logits.float().sigmoid(), grid_hw).flatten(2)  # (B, N, P)
        bias = coverage.clamp_min(TINY_PROBABILITY).log()
        return (bias - bias.amax(dim=-1, keepdim=True)).clamp_min(self.floor)


class BinaryGuidance(nn.Module):
    """Binary guidance: of the patches, an instance token attends only to those with a pixel of its mask.

    This is line 3 of Table 5, for comparison. A pixel belongs to the mask when its logit is above 0. With an
    empty mask, the token attends only to itself and the register.
    """

    def forward(
        self, mask_logits: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]
    ) -> Float[Tensor, "B N P"]:
        """Return biases in {-inf, 0}."""
        best_logit = F.adaptive_max_pool2d(mask_logits.float(), grid_hw).flatten(2)  # (B, N, P)
        return torch.zeros_like(best_logit).masked_fill(best_logit <= 0, -torch.inf)


def _resample(maps: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]) -> Float[Tensor, "B N gh gw"]:
    """Return the maps resized to the grid: by area means, or bilinearly if the maps are smaller than it."""
    if maps.shape[1] == 0:
        return maps.new_zeros(*maps.shape[:2], *grid_hw)
    if maps.shape[-2] >= grid_hw[0] and maps.shape[-1] >= grid_hw[1]:
        return F.adaptive_avg_pool2d(maps, grid_hw)
    return F.interpolate(maps, size=grid_hw, mode="bilinear", align_corners=False)
