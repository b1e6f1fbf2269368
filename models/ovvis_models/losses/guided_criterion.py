"""Loss of the proposal network with guided queries, which start at points of an objectness map.

Learned queries must first agree on who takes which object (`SetCriterion`). A guided query is trained on the
object that it starts on, together with all others that start there. With several queries per object, and no
assignment that changes from step to step, a small network learns faster. The object logit predicts the IoU of
the query's own mask with the object, so that the best mask ranks first and the others are dropped as
duplicates (`proposal_selection`). Queries on one object are therefore exempt from the margin loss L_SC (Eq. 2
of InstFormer), which the paper applies to all pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from ovvis_models.losses.targets import ObjectBatch, Target, gather_objects, gather_unlabelled


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedWeights:
    """Weights of the losses."""

    object: float = 2.0
    mask_bce: float = 5.0
    dice: float = 5.0
    margin: float = 0.5  # 0: no such loss
    heatmap: float = 1.0  # 0: no such loss, for a map that is frozen
    quality: float = 2.0  # if the network predicts it


class GuidedCriterion:
    """Losses of a batch; has no parameters."""

    def __init__(
        self,
        *,
        sampling: PointSampling,
        weights: GuidedWeights,
        margin: float = 0.8,
        crowd_exponent: float = 0.0,
    ) -> None:
        """Holds the numbers.

        Args:
            sampling: where masks are compared.
            weights: of the losses.
            margin: of the margin loss.
            crowd_exponent: weight n ** -crowd_exponent of each of n queries on one object in the mask losses;
                0 weights all queries alike, 1 all objects alike.
        """
        self.sampling = sampling
        self.weights = weights
        self.margin = margin
        self.crowd_exponent = crowd_exponent

    def __call__(
        self,
        output: DecoderOutput,
        targets: Sequence[Target],
        *,
        generator: torch.Generator | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the weighted losses by name; their sum is to be minimized.

        Random points come from `generator`, or from torch's global one. Mask losses are means over the
        queries that start on an object, summed over layers.

        Raises:
            ValueError: the queries are not guided.
        """
        if output.origin is None:
            raise ValueError("these queries are not guided: use SetCriterion")
        layers, weights = output.layers, self.weights
        dtype = torch.promote_types(layers[0].mask_logits.dtype, torch.float32)
        objects = gather_objects(targets, dtype=dtype)
        pairs = query_targets(output.origin.points.to(dtype), objects)
        assignment = _same_in_all(layers, pairs)
        reads = read_masks(layers, pairs.objects, assignment, sampling=self.sampling, generator=generator)
        share = pair_weights(pairs, exponent=self.crowd_exponent)
        reads = replace(reads, weight=reads.weight * share)
        num_pairs = max(float(share.sum()), 1.0)
        unlabelled = gather_unlabelled(targets, dtype=dtype)
        object_logits = torch.stack([layer.object_logits[..., 0] for layer in layers]).to(dtype)
        decoded = torch.stack([layer.query_embeds for layer in layers[1:]])
        wanted = own_iou(layers, pairs, like=object_logits)
        unknown_queries = None
        if unlabelled is not None:
            unknown_queries = read_points(unlabelled, output.origin.points.to(dtype))[:, 0] > 0.5
        losses = {
            "object": weights.object
            * objectness_loss(object_logits, wanted, no_object_weight=1.0, unknown=unknown_queries),
            "mask_bce": weights.mask_bce * mask_bce_loss(reads, num_objects=num_pairs),
            "dice": weights.dice * dice_loss(reads, num_objects=num_pairs),
        }
        if weights.heatmap > 0:
            logits = output.origin.heatmap_logits.to(dtype)
            losses["heatmap"] = weights.heatmap * _heatmap(logits, objects, unlabelled=unlabelled)
        if weights.margin > 0:
            losses["margin"] = weights.margin * margin_loss(
                decoded, margin=self.margin, alike=pairs.same_object
            )
        if layers[0].quality_logits is not None:
            quality = assigned_quality(layers, pairs.objects, assignment).to(dtype)
            losses["quality"] = weights.quality * mask_quality_loss(reads, quality)
        return losses


def _heatmap(
    logits: Float[Tensor, "B h8 w8"], objects: ObjectBatch, *, unlabelled: Float[Tensor, "B 1 H W"] | None
) -> Float[Tensor, ""]:
    """Return the loss of the objectness map that the queries were selected from."""
    wanted = heatmap_targets(objects, hw=(logits.shape[1], logits.shape[2]))
    unknown = None
    if unlabelled is not None:
        unknown = F.interpolate(unlabelled, size=wanted.shape[1:], mode="area")[:, 0] > 0.5
    return heatmap_loss(logits, wanted, num_objects=max(objects.num_objects, 1), unknown=unknown)


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


def pair_weights(pairs: QueryTargets, *, exponent: float) -> Float[Tensor, " M"]:
    """Return n to the power -exponent for each pair, n being how many queries start on its object."""
    companions = pairs.same_object[pairs.objects.image_index, pairs.query_index].sum(dim=1)
    return companions.clamp(min=1).to(pairs.objects.masks.dtype) ** -exponent


def _same_in_all(layers: Sequence[LayerOutput], pairs: QueryTargets) -> Assignment:
    """Return the pairs as an assignment that is the same in every layer."""
    query_index = pairs.query_index.expand(len(layers), -1)
    return Assignment(query_index=query_index, assigned=torch.ones_like(query_index, dtype=torch.bool))
