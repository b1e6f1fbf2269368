"""Hungarian assignment of objects to queries, separately in each layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_models.blocks.decoder_output import LayerOutput
from ovvis_models.losses.points import random_points, read_points
from ovvis_models.losses.targets import ObjectBatch

DICE_SMOOTHING = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CostWeights:
    """Weights of the three parts of a pair's cost."""

    object: float = 2.0
    mask_bce: float = 5.0
    dice: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The query assigned to each object, in each of L layers."""

    query_index: Int[Tensor, "L G"]  # 0 where not assigned
    assigned: Bool[Tensor, "L G"]  # False only if an image has more objects than queries

    def taken(self, objects: ObjectBatch, *, num_queries: int) -> Bool[Tensor, "L B Q"]:
        """Return which queries are assigned an object."""
        num_layers = self.query_index.shape[0]
        taken = torch.zeros(
            num_layers,
            objects.num_images,
            num_queries,
            dtype=torch.bool,
            device=self.query_index.device,
        )
        layer, column = self.assigned.nonzero(as_tuple=True)
        taken[layer, objects.image_index[column], self.query_index[layer, column]] = True
        return taken


class HungarianMatcher:
    """Matcher by masks at sampled points and object logits; one transfer to the host per batch."""

    def __init__(self, *, num_points: int, weights: CostWeights) -> None:
        self.num_points = num_points
        self.weights = weights

    @torch.no_grad()
    def __call__(
        self, layers: Sequence[LayerOutput], objects: ObjectBatch, *, generator: torch.Generator | None
    ) -> Assignment:
        """Return the assignment of each layer; object logits must have one column."""
        costs = self.costs(layers, objects, generator=generator).cpu().numpy()
        num_layers = len(layers)
        query_index = np.zeros((num_layers, objects.num_objects), dtype=np.int64)
        assigned = np.zeros((num_layers, objects.num_objects), dtype=bool)
        first = 0
        for image, count in enumerate(objects.counts):
            for layer in range(num_layers):
                rows, columns = linear_sum_assignment(costs[layer, image, :, :count])
                query_index[layer, first + columns] = rows
                assigned[layer, first + columns] = True
            first += count
        device = objects.masks.device
        return Assignment(
            query_index=torch.from_numpy(query_index).to(device),
            assigned=torch.from_numpy(assigned).to(device),
        )

    def costs(
        self, layers: Sequence[LayerOutput], objects: ObjectBatch, *, generator: torch.Generator | None
    ) -> Float[Tensor, "L B Q N"]:
        """Return the cost of each query for each object of its image.

        Columns beyond an image's count are meaningless. All pairs of an image are read at the same uniform
        points.
        """
        like = objects.masks
        points = random_points(objects.num_images, num_points=self.num_points, like=like, generator=generator)
        wanted = like.new_zeros(objects.num_images, max((1, *objects.counts)), self.num_points)
        wanted[objects.image_index, objects.position] = read_points(
            objects.masks, points[objects.image_index]
        )[:, 0]
        logits = torch.stack([read_points(layer.mask_logits.to(like.dtype), points) for layer in layers])
        object_logits = torch.stack([layer.object_logits[..., 0] for layer in layers]).to(like.dtype)
        return (
            self.weights.mask_bce * bce_cost(logits, wanted)
            + self.weights.dice * dice_cost(logits, wanted)
            - self.weights.object * object_logits.sigmoid()[..., None]
        )


def bce_cost(logits: Float[Tensor, "L B Q P"], wanted: Float[Tensor, "B N P"]) -> Float[Tensor, "L B Q N"]:
    """Return the mean cross-entropy of each query's logits against each object's mask, at P points."""
    empty = torch.nn.functional.softplus(logits).sum(dim=-1)
    inside = torch.einsum("lbqp,bnp->lbqn", logits, wanted)
    return (empty[..., None] - inside) / logits.shape[-1]


def dice_cost(logits: Float[Tensor, "L B Q P"], wanted: Float[Tensor, "B N P"]) -> Float[Tensor, "L B Q N"]:
    """Return one minus the dice ratio of each query's mask and each object's, at P points."""
    probs = logits.sigmoid()
    shared = torch.einsum("lbqp,bnp->lbqn", probs, wanted)
    sizes = probs.sum(dim=-1)[..., None] + wanted.sum(dim=-1)[:, None]
    return 1 - (2 * shared + DICE_SMOOTHING) / (sizes + DICE_SMOOTHING)
