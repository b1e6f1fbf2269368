"""Reading masks at points instead of everywhere."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

MARGIN = 0.25  # of its size, that the surroundings of an object reach beyond it on each side


def read_points(
    maps: Float[Tensor, "G channels h w"], points: Float[Tensor, "G P 2"]
) -> Float[Tensor, "G channels P"]:
    """Return bilinear reads of `maps` at `points`, (x, y) in [0, 1] of the map's area; zero outside."""
    read = F.grid_sample(maps, points[:, None] * 2 - 1, mode="bilinear", align_corners=False)
    return read[:, :, 0]


def surroundings(masks: Float[Tensor, "G 1 H W"]) -> Float[Tensor, "G 4"]:
    """Return the box of each mask, half as wide and high again, within the image; none may be empty.

    Boxes are (left, top, right, bottom) in [0, 1].
    """
    spans = [_span(masks[:, 0].amax(dim=dim) > 0) for dim in (1, 2)]  # x, y: (G, 2) each
    low, high = (torch.stack([span[:, side] for span in spans], dim=1) for side in (0, 1))
    margin = (high - low) * MARGIN
    return torch.cat([(low - margin).clamp(min=0), (high + margin).clamp(max=1)], dim=1).to(masks.dtype)


def _span(is_on: Bool[Tensor, "G n"]) -> Float[Tensor, "G 2"]:
    """Return where the first True begins and the last one ends, in [0, 1]."""
    size, on = is_on.shape[1], is_on.int()
    return torch.stack([on.argmax(dim=1), size - on.flip(1).argmax(dim=1)], dim=1) / size


def drawn_into(
    boxes: Float[Tensor, "G 4"], points: Float[Tensor, "G P 2"], *, share: float
) -> Float[Tensor, "G P 2"]:
    """Return the points, the first `share` of them scaled from the whole image into the boxes."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    num_local = round(share * points.shape[1])
    return torch.cat([low + points[:, :num_local] * (high - low), points[:, num_local:]], dim=1)


def random_points(
    count: int, *, num_points: int, like: Tensor, generator: torch.Generator | None
) -> Float[Tensor, "count num_points 2"]:
    """Return uniform points (x, y) in [0, 1), of the type and on the device of `like`."""
    return torch.rand(count, num_points, 2, dtype=like.dtype, device=like.device, generator=generator)
