"""Loss of the proposal network with learned queries: one-to-one assignment and losses at every head.

Paper: Mask2Former (Cheng et al., CVPR 2022) with one object logit instead of classes, and the margin loss of
InstFormer. CLIP-VIS adds a mask-quality loss and leaves out the margin loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.blocks.decoder_output import DecoderOutput
from ovvis_models.losses.margin import margin_loss
from ovvis_models.losses.mask_quality import assigned_quality, mask_quality_loss
from ovvis_models.losses.masks import PointSampling, dice_loss, mask_bce_loss, read_masks
from ovvis_models.losses.matcher import HungarianMatcher
from ovvis_models.losses.objectness import objectness_loss
from ovvis_models.losses.targets import Target, gather_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the losses."""

    object: float = 2.0
    mask_bce: float = 5.0
    dice: float = 5.0
    margin: float = 2.0
    quality: float = 2.0  # if the network predicts it


class SetCriterion:
    """Losses of a batch; has no parameters."""

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
        """Return the weighted losses by name; their sum is to be minimized.

        Random points come from `generator`, or from torch's global one. Without any object in the batch, the
        mask losses are zero and still part of the graph.
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
            * objectness_loss(object_logits, taken.to(dtype), no_object_weight=self.no_object_weight),
            "mask_bce": weights.mask_bce * mask_bce_loss(reads, num_objects=num_objects),
            "dice": weights.dice * dice_loss(reads, num_objects=num_objects),
        }
        if weights.margin > 0:
            losses["margin"] = weights.margin * self._margin(output)
        if layers[0].quality_logits is not None:
            quality = assigned_quality(layers, objects, assignment).to(dtype)
            losses["quality"] = weights.quality * mask_quality_loss(reads, quality)
        return losses

    def _margin(self, output: DecoderOutput) -> Tensor:
        """Return the margin loss of the decoded queries, without the input of the first layer."""
        decoded = torch.stack([layer.query_embeds for layer in output.layers[1:]])
        return margin_loss(decoded, margin=self.margin)
