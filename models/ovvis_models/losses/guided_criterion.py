"""The loss of the proposal network with guided queries, which know where they start.

Learned queries must first agree on who takes which object (`SetCriterion`). A guided query is simply taught
the object that it starts on, together with all others that do: with several queries an object and no
assignment that changes from step to step, a small network learns faster. Which of them stands for the object
is told by the object logit: it predicts the IoU of the query's own mask with the object, so that the best
mask comes first and the others are dropped as its duplicates (`proposal_selection`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ovvis_models.blocks.decoder_output import DecoderOutput, LayerOutput
from ovvis_models.losses.heatmap import heatmap_loss, heatmap_targets
from ovvis_models.losses.margin import margin_loss
from ovvis_models.losses.mask_quality import assigned_quality, mask_quality_loss
from ovvis_models.losses.masks import PointSampling, dice_loss, mask_bce_loss, read_masks
from ovvis_models.losses.matcher import Assignment
from ovvis_models.losses.objectness import objectness_loss
from ovvis_models.losses.points import read_points
from ovvis_models.losses.query_targets import QueryTargets, query_targets
from ovvis_models.losses.targets import ObjectBatch, Target, background_of, gather_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedWeights:
    """What each loss is multiplied with."""

    object: float = 2.0
    mask_bce: float = 5.0
    dice: float = 5.0
    margin: float = 0.5
    heatmap: float = 1.0
    quality: float = 2.0  # where the network predicts it


class GuidedCriterion:
    """Losses of a batch; holds numbers only, no parameters."""

    def __init__(self, *, sampling: PointSampling, weights: GuidedWeights, margin: float = 0.8) -> None:
        self.sampling = sampling
        self.weights = weights
        self.margin = margin

    def __call__(
        self,
        output: DecoderOutput,
        targets: Sequence[Target],
        *,
        generator: torch.Generator | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the weighted losses by name; their sum is what to minimise.

        Randomness (points) comes from `generator`, or from torch's global one. Mask losses are means over the
        queries that start on an object, summed over layers.

        Raises:
            ValueError: the queries are not guided.
        """
        if output.origin is None:
            raise ValueError("these queries do not know where they start: use SetCriterion")
        layers, weights = output.layers, self.weights
        dtype = torch.promote_types(layers[0].mask_logits.dtype, torch.float32)
        objects = gather_objects(targets, dtype=dtype)
        pairs = query_targets(output.origin.points.to(dtype), objects)
        num_pairs = max(pairs.objects.num_objects, 1)
        assignment = _same_in_all(layers, pairs)
        reads = read_masks(layers, pairs.objects, assignment, sampling=self.sampling, generator=generator)
        object_logits = torch.stack([layer.object_logits[..., 0] for layer in layers]).to(dtype)
        decoded = torch.stack([layer.query_embeds for layer in layers[1:]])
        heatmap_logits = output.origin.heatmap_logits.to(dtype)
        heatmap = heatmap_targets(objects, hw=(heatmap_logits.shape[1], heatmap_logits.shape[2]))
        wanted = own_iou(layers, pairs, like=object_logits)
        background = background_of(targets, like=objects.masks)
        sure = read_points(background, output.origin.points.to(dtype))[:, 0]  # B Q
        losses = {
            "object": weights.object * objectness_loss(object_logits, wanted, no_object_weight=sure),
            "mask_bce": weights.mask_bce * mask_bce_loss(reads, num_objects=num_pairs),
            "dice": weights.dice * dice_loss(reads, num_objects=num_pairs),
            "heatmap": weights.heatmap
            * heatmap_loss(
                heatmap_logits,
                heatmap,
                num_objects=max(objects.num_objects, 1),
                certainty=_certainty(objects, background, hw=(heatmap.shape[1], heatmap.shape[2])),
            ),
        }
        if weights.margin > 0:
            losses["margin"] = weights.margin * margin_loss(
                decoded, margin=self.margin, alike=pairs.same_object
            )
        if layers[0].quality_logits is not None:
            quality = assigned_quality(layers, pairs.objects, assignment).to(dtype)
            losses["quality"] = weights.quality * mask_quality_loss(reads, quality)
        return losses


@torch.no_grad()
def own_iou(
    layers: Sequence[LayerOutput], pairs: QueryTargets, *, like: Float[Tensor, "L B Q"]
) -> Float[Tensor, "L B Q"]:
    """Return the IoU of each query's mask with the object it starts on, at the masks' size; 0 without one."""
    wanted = torch.zeros_like(like)
    size = layers[0].mask_logits.shape[-2:]
    objects = F.interpolate(pairs.objects.masks, size=size, mode="area")[:, 0].flatten(1)  # M hw
    images, queries = pairs.objects.image_index, pairs.query_index
    for row, layer in zip(wanted, layers, strict=True):
        own = (layer.mask_logits[images, queries] > 0).flatten(1).to(like.dtype)
        shared = torch.minimum(own, objects).sum(dim=1)
        row[images, queries] = shared / torch.maximum(own, objects).sum(dim=1)
    return wanted


def _same_in_all(layers: Sequence[LayerOutput], pairs: QueryTargets) -> Assignment:
    """Return the pairs as an assignment, the same in every layer."""
    query_index = pairs.query_index.expand(len(layers), -1)
    return Assignment(query_index=query_index, assigned=torch.ones_like(query_index, dtype=torch.bool))


def _certainty(
    objects: ObjectBatch, background: Float[Tensor, "B 1 H W"], *, hw: tuple[int, int]
) -> Float[Tensor, "B h w"]:
    """Return how surely each place of the map is no centre: 1 in objects, elsewhere as sure as background."""
    inside = torch.zeros_like(background).index_add(0, objects.image_index, objects.masks)
    return F.interpolate(torch.where(inside > 0, 1.0, background), size=hw, mode="area")[:, 0]
