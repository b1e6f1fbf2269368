"""From mask logits to what an instance token may look at: additive attention biases on CLIP's patch grid.

Table 5 of the OpenVIS paper compares two forms: a binary mask (worse) and one valued by the logits (the
paper's own). A bias is added to the attention logits of the patches before the softmax, the same in every
block and head.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

TINY_PROBABILITY = 1e-12  # keeps the logarithm finite where a mask is certain to be absent


@runtime_checkable
class Guidance(Protocol):
    """Makes attention biases from mask logits; an `nn.Module`, so that a learned form fits too."""

    def __call__(
        self, mask_logits: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]
    ) -> Float[Tensor, "B N P"]:
        """Biases over the P = grid_hw[0] * grid_hw[1] patches in row-major order; 0 means unrestricted."""
        ...


class LogProbabilityGuidance(nn.Module):
    """Biases a patch by the logarithm of the share of it that the mask covers.

    The share is the area mean of sigmoid(mask logit), so attention weights scale with covered area: the mean
    is taken before the logarithm because a small object covers no patch fully, and a mean of logarithms would
    forbid them all. Biases are relative to the best covered patch of the proposal, whose bias is 0: otherwise
    the register, which sees the whole image, would outweigh the few patches of a small object. They end at
    `floor`, so context is never cut off completely and no gradient vanishes.
    """

    def __init__(self, *, floor: float = -8.0) -> None:
        super().__init__()
        if floor >= 0:
            raise ValueError(f"guidance floor must be negative, got {floor}")
        self.floor = floor

    def forward(
        self, mask_logits: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]
    ) -> Float[Tensor, "B N P"]:
        """Biases in [floor, 0]."""
        coverage = _resample(mask_logits.float().sigmoid(), grid_hw).flatten(2)  # (B, N, P)
        bias = coverage.clamp_min(TINY_PROBABILITY).log()
        return (bias - bias.amax(dim=-1, keepdim=True)).clamp_min(self.floor)


class BinaryGuidance(nn.Module):
    """Forbids every patch in which no pixel of the mask is more likely present than absent.

    The comparison of Table 5, line 3. An empty mask forbids all patches; the token then sees itself and the
    register.
    """

    def forward(
        self, mask_logits: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]
    ) -> Float[Tensor, "B N P"]:
        """Biases in {-inf, 0}."""
        best_logit = functional.adaptive_max_pool2d(mask_logits.float(), grid_hw).flatten(2)  # (B, N, P)
        return torch.zeros_like(best_logit).masked_fill(best_logit <= 0, -torch.inf)


def _resample(maps: Float[Tensor, "B N h w"], grid_hw: tuple[int, int]) -> Float[Tensor, "B N gh gw"]:
    if maps.shape[1] == 0:
        return maps.new_zeros(*maps.shape[:2], *grid_hw)
    if maps.shape[-2] >= grid_hw[0] and maps.shape[-1] >= grid_hw[1]:
        return functional.adaptive_avg_pool2d(maps, grid_hw)
    return functional.interpolate(maps, size=grid_hw, mode="bilinear", align_corners=False)
