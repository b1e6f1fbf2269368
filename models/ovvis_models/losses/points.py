"""Bilinear reads of maps at points."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def read_points(
    maps: Float[Tensor, "G channels h w"], points: Float[Tensor, "G P 2"]
) -> Float[Tensor, "G channels P"]:
    """Read `maps` bilinearly at `points`, (x, y) in [0, 1] of the map's area; zero outside."""
    read = F.grid_sample(maps, points[:, None] * 2 - 1, mode="bilinear", align_corners=False)
    return read[:, :, 0]


def random_points(
    count: int, *, num_points: int, like: Tensor, generator: torch.Generator | None
) -> Float[Tensor, "count num_points 2"]:
    """Return uniform points (x, y) in [0, 1), with the dtype and device of `like`."""
    return torch.rand(count, num_points, 2, dtype=like.dtype, device=like.device, generator=generator)
