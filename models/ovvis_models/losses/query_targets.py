"""Assignment of guided queries to the objects whose visible part they start on."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ovvis_models.losses.points import read_points
from ovvis_models.losses.targets import ObjectBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTargets:
    """The M pairs of a query and the object it starts on; an object may occur in several pairs."""

    query_index: Int[Tensor, " M"]  # within the image
    object_index: Int[Tensor, " M"]  # within the batch of objects
    objects: ObjectBatch  # one row per pair, ordered by image
    same_object: Bool[Tensor, "B Q Q"]  # queries that start on the same object


def query_targets(points: Float[Tensor, "B Q 2"], objects: ObjectBatch) -> QueryTargets:
    """Return the pairs; `points` are the starting points of the queries, (x, y) in [0, 1] of the padded
    input.

    A query starts on at most one object: where labelled masks overlap (food in a bowl), on the smallest.
    """
    covered = read_points(objects.masks, points[objects.image_index])[:, 0] > 0.5  # G Q
    covered = covered & _smallest(covered, objects)
    row, query_index = covered.nonzero(as_tuple=True)
    image_index = objects.image_index[row]
    counts = torch.bincount(image_index, minlength=objects.num_images)
    firsts = counts.cumsum(dim=0) - counts
    together = (covered[:, :, None] & covered[:, None]).to(points.dtype)  # G Q Q
    same = points.new_zeros(objects.num_images, *together.shape[1:]).index_add(
        0, objects.image_index, together
    )
    return QueryTargets(
        query_index=query_index,
        object_index=row,
        objects=ObjectBatch(
            num_images=objects.num_images,
            image_index=image_index,
            position=torch.arange(len(row), device=row.device) - firsts[image_index],
            counts=tuple(counts.tolist()),
            masks=objects.masks[row],
            centers=objects.centers[row],
            radii=objects.radii[row],
        ),
        same_object=same > 0,
    )


def _smallest(covered: Bool[Tensor, "G Q"], objects: ObjectBatch) -> Bool[Tensor, "G Q"]:
    """Return where no smaller object of the same image covers the query; of equal ones the first remains."""
    area = objects.masks.sum(dim=(1, 2, 3))
    order = torch.empty_like(area).scatter_(
        0, area.argsort(stable=True), torch.arange(len(area), dtype=area.dtype, device=area.device)
    )
    rank = order[:, None].expand_as(covered)
    rank = rank.masked_fill(~covered, torch.inf)
    image = objects.image_index[:, None].expand_as(covered)
    best = rank.new_full((objects.num_images, covered.shape[1]), torch.inf)
    best = best.scatter_reduce(0, image, rank, "amin")
    return rank == best[objects.image_index]
