"""Pillow's antialiased resize of 8-bit pixels, bit for bit, in whole numbers and on any device.

Published weights were trained and judged behind it, and their masked attention turns one grey level into
another mask. Facts of the filter: one axis after the other, columns first, with rounding to 8 bits between; a
kernel (triangle, or cubic with a = -0.5) stretched to the larger pixel of the two sizes; its weights, which
sum to 1, in fixed point with 22 bits after the point. Pillow itself takes a third of the time, but only on
the CPU; from version 13 on it takes rows first where the height shrinks much more than the width, which
resizes that keep proportions never do.
"""

from typing import Literal

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

Kernel = Literal["bilinear", "bicubic"]

_REACH = {"bilinear": 1.0, "bicubic": 2.0}  # in pixels of the smaller size
_POINT_BITS = 22
_HALF = 1 << (_POINT_BITS - 1)
_VALUES_AT_ONCE = 1 << 17  # of 32-bit sums: 512 KiB stay in the cache


def resize_like_pillow(
    frames: UInt8[Tensor, "B H0 W0 3"], size: tuple[int, int], *, kernel: Kernel = "bilinear"
) -> UInt8[Tensor, "B 3 h w"]:
    """Return the frames at `size` (height, width), as channels of their own."""
    batch, old_height, old_width, channels = frames.shape
    height, width = size
    columns = frames.permute(2, 0, 1, 3).reshape(old_width, -1)
    columns = _resample_rows(columns, width, kernel=kernel).view(width, batch, old_height, channels)
    rows = columns.permute(2, 1, 3, 0).reshape(old_height, -1)
    return (
        _resample_rows(rows, height, kernel=kernel)
        .view(height, batch, channels, width)
        .permute(1, 2, 0, 3)
        .contiguous()
    )


def _resample_rows(pixels: UInt8[Tensor, "old S"], size: int, *, kernel: Kernel) -> UInt8[Tensor, "size S"]:
    """Return `size` weighted means of rows; a row is contiguous, so that reading it is fast."""
    old, length = pixels.shape
    if size == old:
        return pixels
    places, weights = (x.to(pixels.device) for x in _filter(old, size, kernel=kernel))
    resampled = pixels.new_empty((size, length))
    at_once = max(1, _VALUES_AT_ONCE // max(length, 1)) if pixels.is_cpu else size
    for start in range(0, size, at_once):
        some = slice(start, start + at_once)
        total = torch.full_like(resampled[some], _HALF, dtype=torch.int32)
        for place, weight in zip(places[:, some], weights[:, some], strict=True):
            total += pixels[place].int().mul_(weight[:, None])
        resampled[some] = (total >> _POINT_BITS).clamp_(0, 255)  # a cubic kernel overshoots
    return resampled


def _filter(
    old: int, size: int, *, kernel: Kernel
) -> tuple[Int[Tensor, "taps size"], Int[Tensor, "taps size"]]:
    """Return which rows each new row reads, and their weights in fixed point (0 where it reads fewer)."""
    scale = old / size
    stretch = max(scale, 1.0)
    reach = _REACH[kernel] * stretch
    center = (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    first = (center - reach + 0.5).long().clamp(min=0)
    end = (center + reach + 0.5).long().clamp(max=old)
    places = first + torch.arange(int((end - first).max()))[:, None]
    distances = ((places - center + 0.5) / stretch).abs()
    weights = torch.where(
        places < end, _cubic(distances) if kernel == "bicubic" else _triangle(distances), 0.0
    )
    scaled = weights / weights.sum(dim=0) * (1 << _POINT_BITS)
    fixed = (scaled + torch.where(scaled < 0, -0.5, 0.5)).to(torch.int32)  # rounds away from 0
    return places.clamp(max=old - 1), fixed


def _triangle(distances: Tensor) -> Tensor:
    return (1.0 - distances).clamp(min=0.0)


def _cubic(distances: Tensor) -> Tensor:
    near = (1.5 * distances - 2.5) * distances**2 + 1.0
    far = ((-0.5 * distances + 2.5) * distances - 4.0) * distances + 2.0
    return torch.where(distances < 1.0, near, torch.where(distances < 2.0, far, 0.0))
