"""Pillow's antialiased resize of 8-bit pixels, reproduced bit for bit in integers on any device.

Published weights were trained and evaluated with this resize. With masked attention, a difference of one grey
level can lead to a different mask.

The filter, as in Pillow: width first, then height, with rounding to 8 bits in between. Each output pixel is a
weighted mean with triangular or cubic (a = -0.5) weights; a triangle extends to each side by one pixel of the
input or of the output, whichever is larger, a cubic by two. The weights sum to 1 and are in fixed point with
22 fractional bits.

Pillow itself takes a third of the time, but runs only on the CPU. From version 13 on, it resizes the height
first when the height shrinks much more than the width; this does not occur when the aspect ratio is kept.
"""

from typing import Literal

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

Kernel = Literal["bilinear", "bicubic"]

_REACH = {"bilinear": 1.0, "bicubic": 2.0}  # in pixels of the smaller size
_POINT_BITS = 22
_HALF = 1 << (_POINT_BITS - 1)
_VALUES_AT_ONCE = 1 << 17  # 32-bit sums per step: 512 KiB fit into the CPU cache


def resize_like_pillow(
    frames: UInt8[Tensor, "B H0 W0 3"], size: tuple[int, int], *, kernel: Kernel = "bilinear"
) -> UInt8[Tensor, "B 3 h w"]:
    """Resize the frames to `size` (height, width) and move the channels before height and width."""
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
    """Resample `old` rows to `size` rows. Rows are contiguous in memory, which makes reading them fast."""
    old, length = pixels.shape
    if size == old:
        return pixels
    sources, weights = (x.to(pixels.device) for x in _filter(old, size, kernel=kernel))
    resampled = pixels.new_empty((size, length))
    at_once = max(1, _VALUES_AT_ONCE // max(length, 1)) if pixels.is_cpu else size
    for start in range(0, size, at_once):
        part = slice(start, start + at_once)
        total = torch.full_like(resampled[part], _HALF, dtype=torch.int32)
        for source, weight in zip(sources[:, part], weights[:, part], strict=True):
            total += pixels[source].int().mul_(weight[:, None])
        resampled[part] = (total >> _POINT_BITS).clamp_(0, 255)  # cubic weights may exceed the range
    return resampled


def _filter(
    old: int, size: int, *, kernel: Kernel
) -> tuple[Int[Tensor, "taps size"], Int[Tensor, "taps size"]]:
    """Return the source rows of each output row, and their fixed-point weights (0 for unused taps)."""
    scale = old / size
    stretch = max(scale, 1.0)
    reach = _REACH[kernel] * stretch
    center = (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    first = (center - reach + 0.5).long().clamp(min=0)
    end = (center + reach + 0.5).long().clamp(max=old)
    sources = first + torch.arange(int((end - first).max()))[:, None]
    distances = ((sources - center + 0.5) / stretch).abs()
    curve = _cubic if kernel == "bicubic" else _triangle
    weights = torch.where(sources < end, curve(distances), 0.0)
    scaled = weights / weights.sum(dim=0) * (1 << _POINT_BITS)
    fixed = (scaled + torch.where(scaled < 0, -0.5, 0.5)).to(torch.int32)  # halves are rounded away from 0
    return sources.clamp(max=old - 1), fixed


def _triangle(distances: Tensor) -> Tensor:
    return (1.0 - distances).clamp(min=0.0)


def _cubic(distances: Tensor) -> Tensor:
    near = (1.5 * distances - 2.5) * distances**2 + 1.0
    far = ((-0.5 * distances + 2.5) * distances - 4.0) * distances + 2.0
    return torch.where(distances < 1.0, near, torch.where(distances < 2.0, far, 0.0))
