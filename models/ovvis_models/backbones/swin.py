"""Swin Transformer with maps of strides 4, 8, 16 and 32, as in detection and segmentation networks.

Paper: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows (Liu et al., ICCV 2021).
Differences to the classifier of the paper, all as in the published segmentation weights: images of any size
(maps are padded to whole windows before the shift, and windows never shrink), a norm for each output, no
absolute position, no head. No stochastic depth, which only training from scratch needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

PATCH_SIZE: Final = 4
MLP_RATIO: Final = 4
HIDDEN_LOGIT: Final = -100.0  # added between places of a shifted window that are not adjacent in the image


@dataclass(frozen=True, slots=True, kw_only=True)
class SwinSpec:
    """Numbers of one Swin: width of the first stage, and blocks and heads of each stage."""

    name: str
    width: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    window_size: int


SWIN_T: Final = SwinSpec(
    name="swin_tiny", width=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24), window_size=7
)
SWIN_S: Final = SwinSpec(
    name="swin_small", width=96, depths=(2, 2, 18, 2), num_heads=(3, 6, 12, 24), window_size=7
)
SWIN_B: Final = SwinSpec(
    name="swin_base", width=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32), window_size=12
)
SWIN_L: Final = SwinSpec(
    name="swin_large", width=192, depths=(2, 2, 18, 2), num_heads=(6, 12, 24, 48), window_size=12
)


class SwinBackbone(nn.Module):
    """Backbone from images to four maps; untrained until weights are loaded."""

    def __init__(self, spec: SwinSpec) -> None:
        super().__init__()
        widths = [spec.width * 2**stage for stage in range(len(spec.depths))]
        self.channels: tuple[int, ...] = tuple(widths)
        self.patch_embed = nn.Conv2d(3, spec.width, PATCH_SIZE, stride=PATCH_SIZE)
        self.patch_norm = nn.LayerNorm(spec.width)
        self.stages = nn.ModuleList(
            _stage(width, num_blocks=depth, num_heads=heads, window_size=spec.window_size)
            for width, depth, heads in zip(widths, spec.depths, spec.num_heads, strict=True)
        )
        self.merges = nn.ModuleList(PatchMerging(width) for width in widths[:-1])
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _c _h _w"]]:
        """Return the maps of strides 4, 8, 16, 32."""
        right, bottom = -images.shape[-1] % PATCH_SIZE, -images.shape[-2] % PATCH_SIZE
        patches = self.patch_embed(F.pad(images, (0, right, 0, bottom)))
        tokens = self.patch_norm(patches.permute(0, 2, 3, 1))  # (B, h, w, C)
        maps = []
        for index, (stage, norm) in enumerate(zip(self.stages, self.norms, strict=True)):
            if index > 0:
                tokens = self.merges[index - 1](tokens)
            tokens = stage(tokens)
            maps.append(norm(tokens).permute(0, 3, 1, 2).contiguous())
        return maps


class PatchMerging(nn.Module):
    """Merge of 2x2 places into one of twice the width; odd maps are padded with zeros."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, tokens: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h2 w2 C2"]:
        """Return the map at half the size; the places of a square are concatenated column by column."""
        padded = F.pad(tokens, (0, 0, 0, tokens.shape[2] % 2, 0, tokens.shape[1] % 2))
        squares = [padded[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        merged: Tensor = self.reduction(self.norm(torch.cat(squares, dim=-1)))
        return merged


class SwinBlock(nn.Module):
    """Self-attention within windows, then a feed-forward layer; both pre-norm."""

    def __init__(self, width: int, *, num_heads: int, window_size: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.window_size = window_size
        self.attention_norm = nn.LayerNorm(width)
        self.attention = WindowAttention(width, num_heads=num_heads, window_size=window_size)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, MLP_RATIO * width), nn.GELU(), nn.Linear(MLP_RATIO * width, width)
        )

    def forward(self, tokens: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h w C"]:
        """Return the map after one block."""
        tokens = tokens + self._attend(self.attention_norm(tokens))
        output: Tensor = tokens + self.feed_forward(self.feed_forward_norm(tokens))
        return output

    def _attend(self, tokens: Tensor) -> Tensor:
        height, width = tokens.shape[1:3]
        size, shift = self.window_size, self.shift
        padded = F.pad(tokens, (0, 0, 0, -width % size, 0, -height % size))
        padded_hw = (padded.shape[1], padded.shape[2])
        hidden = None
        if shift:
            padded = padded.roll((-shift, -shift), dims=(1, 2))
            hidden = shift_mask(padded_hw, window_size=size, shift=shift, like=tokens)
        attended = join_windows(self.attention(split_windows(padded, size), hidden=hidden), padded_hw)
        return attended.roll((shift, shift), dims=(1, 2))[:, :height, :width]


class WindowAttention(nn.Module):
    """Self-attention of the P = size x size places of each of W windows, with a bias by relative position."""

    relative_places: Tensor

    def __init__(self, width: int, *, num_heads: int, window_size: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.position_bias = nn.Parameter(torch.zeros((2 * window_size - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.position_bias, std=0.02)
        self.register_buffer("relative_places", relative_places(window_size), persistent=False)

    def forward(
        self, windows: Float[Tensor, "B W P C"], *, hidden: Float[Tensor, "W P P"] | None
    ) -> Float[Tensor, "B W P C"]:
        """Return what each place reads in its window; `hidden` is added to the logits of every head."""
        batch, num_windows, num_places, width = windows.shape
        bias = self.position_bias[self.relative_places].permute(2, 0, 1)  # (heads, P, P)
        logits = bias if hidden is None else bias + hidden[:, None]
        logits = logits.expand(num_windows, -1, -1, -1).flatten(0, 1)
        qkv = self.qkv(windows).view(batch, num_windows, num_places, 3, self.num_heads, -1)
        query, key, value = qkv.permute(3, 0, 1, 4, 2, 5).flatten(2, 3)  # each (B, W * heads, P, C / heads)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=logits)
        read = read.view(batch, num_windows, self.num_heads, num_places, -1).transpose(2, 3)
        output: Tensor = self.proj(read.reshape(batch, num_windows, num_places, width))
        return output


def relative_places(window_size: int) -> Int[Tensor, "P P"]:
    """Return, for each pair of places in a window, the row of the bias table for their distance."""
    axis = torch.arange(window_size)
    places = torch.cartesian_prod(axis, axis)
    distances = places[:, None] - places + window_size - 1
    return distances[..., 0] * (2 * window_size - 1) + distances[..., 1]


def shift_mask(
    padded_hw: tuple[int, int], *, window_size: int, shift: int, like: Tensor
) -> Float[Tensor, "W P P"]:
    """Return the mask that separates places of a shifted window that are not adjacent in the image."""
    rows, columns = (
        (torch.arange(side, device=like.device) >= side - window_size).long()
        + (torch.arange(side, device=like.device) >= side - shift).long()
        for side in padded_hw
    )
    regions = split_windows((3 * rows[:, None] + columns)[None, :, :, None], window_size)[0, :, :, 0]
    apart = regions[:, :, None] != regions[:, None]
    return torch.zeros(apart.shape, dtype=like.dtype, device=like.device).masked_fill_(apart, HIDDEN_LOGIT)


def split_windows(tokens: Tensor, size: int) -> Tensor:
    """Split (B, h, w, C) into windows (B, W, size * size, C), row by row; h and w are multiples of `size`."""
    batch, height, width, channels = tokens.shape
    windows = tokens.view(batch, height // size, size, width // size, size, channels)
    return windows.transpose(2, 3).reshape(batch, -1, size * size, channels)


def join_windows(windows: Tensor, hw: Sequence[int]) -> Tensor:
    """Join windows (B, W, P, C) into one map (B, h, w, C)."""
    (batch, _, num_places, channels), (height, width) = windows.shape, hw
    size = round(num_places**0.5)
    tokens = windows.view(batch, height // size, width // size, size, size, channels)
    return tokens.transpose(2, 3).reshape(batch, height, width, channels)


def _stage(width: int, *, num_blocks: int, num_heads: int, window_size: int) -> nn.Sequential:
    return nn.Sequential(
        *(
            SwinBlock(
                width,
                num_heads=num_heads,
                window_size=window_size,
                shift=window_size // 2 if index % 2 else 0,
            )
            for index in range(num_blocks)
        )
    )
