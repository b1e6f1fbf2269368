"""Loss of the proposal network with guided queries, which start at points of an objectness map.

Learned queries must first agree on who takes which object (`SetCriterion`). A guided query is trained on the
object that it starts on, together with all others that start there. With several queries per object, and no
assignment that changes from step to step, a small network learns faster. The object logit predicts the IoU of
the query's own mask with the object, so that the best mask ranks first and the others are dropped as
duplicates (`proposal_selection`). Queries on one object are therefore exempt from the margin loss L_SC (Eq. 2
of InstFormer), which the paper applies to all pairs.
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
from ovvis_models.losses.query_targets import QueryTargets, query_targets
from ovvis_models.losses.targets import Target, gather_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedWeights:
    """Weights of the losses."""

    object: float = 2.0
    mask_bce: float = 5.0
    dice: float = 5.0
    margin: float = 0.5
    heatmap: float = 1.0
    quality: float = 2.0  # if the network predicts it


class GuidedCriterion:
    """Losses of a batch; has no parameters."""

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
        num_pairs = max(pairs.objects.num_objects, 1)
        assignment = _same_in_all(layers, pairs)
        reads = read_masks(layers, pairs.objects, assignment, sampling=self.sampling, generator=generator)
        object_logits = torch.stack([layer.object_logits[..., 0] for layer in layers]).to(dtype)
        decoded = torch.stack([layer.query_embeds for layer in layers[1:]])
        heatmap_logits = output.origin.heatmap_logits.to(dtype)
        heatmap = heatmap_targets(objects, hw=(heatmap_logits.shape[1], heatmap_logits.shape[2]))
        wanted = own_iou(layers, pairs, like=object_logits)
        losses = {
            "object": weights.object * objectness_loss(object_logits, wanted, no_object_weight=1.0),
            "mask_bce": weights.mask_bce * mask_bce_loss(reads, num_objects=num_pairs),
            "dice": weights.dice * dice_loss(reads, num_objects=num_pairs),
            "heatmap": weights.heatmap
            * heatmap_loss(heatmap_logits, heatmap, num_objects=max(objects.num_objects, 1)),
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
    """Return the pairs as an assignment that is the same in every layer."""
    query_index = pairs.query_index.expand(len(layers), -1)
    return Assignment(query_index=query_index, assigned=torch.ones_like(query_index, dtype=torch.bool))
