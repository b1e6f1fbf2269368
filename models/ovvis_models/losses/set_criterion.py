"""The loss of the proposal network: assignment and losses at every head, and those of the whole.

Paper: Mask2Former (Cheng et al., CVPR 2022) with one object logit for its classes, and the margin loss of
InstFormer; guided queries add the loss of their map, and mask losses of all queries that start on an object:
many queries for each object teach small networks much faster than one (as in H-DETR, Jia et al., CVPR 2023),
while the object logit, taught by the one-to-one assignment alone, still tells which of them stands for it.
CLIP-VIS adds the loss of the expected mask overlap and leaves out the margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.blocks.decoder_output import DecoderOutput, LayerOutput, QueryOrigin
from ovvis_models.losses.heatmap import heatmap_loss, heatmap_targets
from ovvis_models.losses.margin import margin_loss
from ovvis_models.losses.mask_quality import mask_quality_loss
from ovvis_models.losses.masks import PointSampling, dice_loss, mask_bce_loss, read_masks
from ovvis_models.losses.matcher import Assignment, HungarianMatcher
from ovvis_models.losses.objectness import objectness_loss
from ovvis_models.losses.started_on import started_on
from ovvis_models.losses.targets import ObjectBatch, Target, gather_objects

STARTED_ON_POINTS_DIVISOR = 4  # these queries are many: each is compared at fewer points


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """What each loss is multiplied with."""

    object: float = 2.0
    mask_bce: float = 5.0
    dice: float = 5.0
    margin: float = 2.0
    heatmap: float = 1.0
    quality: float = 2.0  # where the network predicts it
    started_on: float = 0.0  # of the mask losses of every query that starts on an object; guided queries only


class SetCriterion:
    """Losses of a batch; holds numbers only, no parameters."""

    def __init__(
        self,
        *,
        matcher: HungarianMatcher,
        sampling: PointSampling,
        weights: LossWeights,
        no_object_weight: float = 0.1,
        margin: float = 0.8,
    ) -> None:
        self.matcher = matcher
        self.sampling = sampling
        self.weights = weights
        self.no_object_weight = no_object_weight
        self.margin = margin

    def __call__(
        self,
        output: DecoderOutput,
        targets: Sequence[Target],
        *,
        generator: torch.Generator | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the weighted losses by name; their sum is what to minimise.

        Randomness (points) comes from `generator`, or from torch's global one. A batch without any object
        gives zero mask losses that still hang on the graph.
        """
        layers = output.layers
        dtype = torch.promote_types(layers[0].mask_logits.dtype, torch.float32)
        objects = gather_objects(targets, dtype=dtype)
        num_objects = max(objects.num_objects, 1)
        assignment = self.matcher(layers, objects, generator=generator)
        reads = read_masks(layers, objects, assignment, sampling=self.sampling, generator=generator)
        object_logits = torch.stack([layer.object_logits[..., 0] for layer in layers]).to(dtype)
        taken = assignment.taken(objects, num_queries=object_logits.shape[-1])
        weights = self.weights
        losses = {
            "object": weights.object
            * objectness_loss(object_logits, taken, no_object_weight=self.no_object_weight),
            "mask_bce": weights.mask_bce * mask_bce_loss(reads, num_objects=num_objects),
            "dice": weights.dice * dice_loss(reads, num_objects=num_objects),
        }
        if weights.margin > 0:
            losses["margin"] = weights.margin * self._margin(output)
        if layers[0].quality_logits is not None:
            quality = _assigned_quality(layers, objects, assignment).to(dtype)
            losses["quality"] = weights.quality * mask_quality_loss(reads, quality)
        if output.origin is not None:
            logits = output.origin.heatmap_logits.to(dtype)
            wanted = heatmap_targets(objects, hw=(logits.shape[1], logits.shape[2]))
            losses["heatmap"] = weights.heatmap * heatmap_loss(logits, wanted, num_objects=num_objects)
            if weights.started_on > 0:
                losses["started_on"] = weights.started_on * self._started_on(
                    output, output.origin, objects, generator=generator
                )
        return losses

    def _started_on(
        self,
        output: DecoderOutput,
        origin: QueryOrigin,
        objects: ObjectBatch,
        *,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Return the mask losses of the queries that start on an object, a mean over them."""
        pairs = started_on(origin.points.to(objects.masks.dtype), objects)
        sampling = replace(self.sampling, num_points=self.sampling.num_points // STARTED_ON_POINTS_DIVISOR)
        assignment = Assignment(
            query_index=pairs.query_index.expand(len(output.layers), -1),
            assigned=torch.ones_like(pairs.query_index, dtype=torch.bool).expand(len(output.layers), -1),
        )
        reads = read_masks(output.layers, pairs.objects, assignment, sampling=sampling, generator=generator)
        count = max(pairs.objects.num_objects, 1)
        return self.weights.mask_bce * mask_bce_loss(
            reads, num_objects=count
        ) + self.weights.dice * dice_loss(reads, num_objects=count)

    def _margin(self, output: DecoderOutput) -> Tensor:
        """Return the margin loss of the decoded queries, the input of the first layer left out."""
        decoded = torch.stack([layer.query_embeds for layer in output.layers[1:]])
        return margin_loss(decoded, margin=self.margin)


def _assigned_quality(
    layers: Sequence[LayerOutput], objects: ObjectBatch, assignment: Assignment
) -> Float[Tensor, "L G"]:
    """Return the expected overlap of the query that takes each object, in each layer."""
    logits = [
        layer.quality_logits[objects.image_index, index]
        for layer, index in zip(layers, assignment.query_index, strict=True)
        if layer.quality_logits is not None
    ]
    return torch.stack(logits).sigmoid()
