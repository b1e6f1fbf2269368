"""Sine position encoding of a feature map."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

TEMPERATURE = 10000.0
EXTENT_EPS = 1e-6  # as in the published networks, whose weights depend on it


def sine_position(
    hw: tuple[int, int], *, width: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "h w C"]:
    """Return the fixed position encoding of a map of size `hw`: `width / 2` channels of y, then of x.

    Positions count from 1 and are divided by the extent of the map, so the code runs from 0 to 2 pi over any
    map. Even channels are sines, odd ones cosines.

    Raises:
        ValueError: `width` is not a multiple of 4.
    """
    if width % 4:
        raise ValueError(f"width of a sine position must be a multiple of 4, got {width}")
    rows, columns = (axis_code(extent, width=width // 2, dtype=dtype, device=device) for extent in hw)
    height, columns_count = hw
    return torch.cat(
        [
            rows[:, None].expand(height, columns_count, -1),
            columns[None].expand(height, columns_count, -1),
        ],
        dim=-1,
    )


def axis_code(
    extent: int, *, width: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "extent width"]:
    """Return the sine code of an axis: the position over its extent, in `width` channels."""
    places = torch.arange(1, extent + 1, dtype=dtype, device=device) / (extent + EXTENT_EPS) * (2 * math.pi)
    pair = torch.arange(width, device=device).div(2, rounding_mode="floor").to(dtype)
    angles = places[:, None] / TEMPERATURE ** (2 * pair / width)
    return torch.stack([angles[:, 0::2].sin(), angles[:, 1::2].cos()], dim=-1).flatten(1)
