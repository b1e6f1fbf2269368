"""Loss of the objectness map that guides queries: focal, with less penalty near a centre (CenterNet)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ovvis_models.losses.targets import ObjectBatch

FOCUS = 2.0  # exponent that quietens what is already right
NEARNESS = 4.0  # exponent that quietens what is near a centre
MIN_SIGMA = 0.6  # in places of the map: a centre's neighbours are never full negatives
SIGMA_PER_RADIUS = 1 / 3


def heatmap_targets(objects: ObjectBatch, *, hw: tuple[int, int]) -> Float[Tensor, "B h w"]:
    """Return a Gaussian at each object's centre, 1 exactly at its place; the maximum where they meet."""
    height, width = hw
    masks = objects.masks
    scale = masks.new_tensor([width / masks.shape[-1], height / masks.shape[-2]])
    limit = masks.new_tensor([width - 1, height - 1])
    places = torch.minimum((objects.centers * scale).floor().clamp(min=0), limit)
    sigma = (objects.radii * scale.mean() * SIGMA_PER_RADIUS).clamp(min=MIN_SIGMA)
    xs = torch.arange(width, dtype=masks.dtype, device=masks.device)
    ys = torch.arange(height, dtype=masks.dtype, device=masks.device)
    dx2 = (xs - places[:, :1]) ** 2  # G w
    dy2 = (ys - places[:, 1:]) ** 2  # G h
    bumps = torch.exp(-(dy2[:, :, None] + dx2[:, None]) / (2 * sigma**2)[:, None, None])
    empty = masks.new_zeros(objects.num_images, height, width)
    image = objects.image_index[:, None, None].expand_as(bumps)
    return empty.scatter_reduce(0, image, bumps, "amax")


def heatmap_loss(
    logits: Float[Tensor, "B h w"],
    wanted: Float[Tensor, "B h w"],
    *,
    num_objects: float,
    certainty: Float[Tensor, "B h w"] | None = None,
) -> Float[Tensor, ""]:
    """Return the focal loss, summed over places and divided by `num_objects`.

    `certainty` in [0, 1] weights the places that are not centres; None counts all of them.
    """
    probs = logits.sigmoid()
    centers = wanted == 1
    positive = (1 - probs) ** FOCUS * F.softplus(-logits)
    negative = (1 - wanted) ** NEARNESS * probs**FOCUS * F.softplus(logits)
    if certainty is not None:
        negative = negative * certainty
    return torch.where(centers, positive, negative).sum() / num_objects
