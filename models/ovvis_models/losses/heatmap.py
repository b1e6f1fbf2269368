"""Focal loss of the objectness map that guides queries, with less penalty near centers (CenterNet)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ovvis_models.losses.targets import ObjectBatch

FOCUS = 2.0  # exponent that reduces the loss of places that are already right
NEARNESS = 4.0  # exponent that reduces the loss near a center
MIN_SIGMA = 0.6  # in places of the map: neighbors of a center are never full negatives
SIGMA_PER_RADIUS = 1 / 3


def heatmap_targets(objects: ObjectBatch, *, hw: tuple[int, int]) -> Float[Tensor, "B h w"]:
    """Return a Gaussian at each object's center, exactly 1 there; the maximum where Gaussians overlap."""
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
    unknown: Bool[Tensor, "B h w"] | None = None,
) -> Float[Tensor, ""]:
    """Return the focal loss, summed over places and divided by `num_objects`.

    Places that are `unknown` (on an unlabelled part of the image) are not negatives.
    """
    probs = logits.sigmoid()
    centers = wanted == 1
    positive = (1 - probs) ** FOCUS * F.softplus(-logits)
    negative = (1 - wanted) ** NEARNESS * probs**FOCUS * F.softplus(logits)
    if unknown is not None:
        negative = negative.masked_fill(unknown, 0.0)
    return torch.where(centers, positive, negative).sum() / num_objects
