"""Loss of GenVIS for one window: classes of all queries, masks of visible objects, at every decoder layer.

Paper: A Generalized Framework for Video Instance Segmentation (Heo et al., CVPR 2023), with the losses of
Mask2Former. A query whose object is out of sight learns "no object" and no mask.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ovvis_models.losses.masks import MaskReads, dice_loss, mask_bce_loss
from ovvis_models.losses.video_assignment import UNBORN, WindowTargets

NO_OBJECT_WEIGHT = 0.1  # of the cross-entropy of queries without an object


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLossWeights:
    """Weights of the losses; the defaults are those of the paper."""

    classes: float = 2.0
    mask_bce: float = 5.0
    dice: float = 5.0


def window_losses(
    class_logits: Float[Tensor, "L B Q K_plus_1"],
    mask_logits: Float[Tensor, "L B Q P"],
    targets: WindowTargets,
    query_of_object: Int[np.ndarray, "L B N"],
    *,
    weights: WindowLossWeights,
) -> dict[str, Float[Tensor, ""]]:
    """Return the weighted losses of a window by name, summed over layers.

    Args:
        class_logits: after each layer; the last column is "no object".
        mask_logits: at the places of the targets.
        targets: the objects in this window.
        query_of_object: the assignment after this window.
        weights: of the losses.
    """
    queries = torch.from_numpy(query_of_object).to(class_logits.device)
    shown = targets.visible[None] & (queries != UNBORN)  # (L, B, N)
    reads = _reads(mask_logits, targets, queries, shown)
    num_objects = max(1.0, float(targets.visible.sum()))
    return {
        "classes": weights.classes * _class_loss(class_logits, targets, queries, shown),
        "mask_bce": weights.mask_bce * mask_bce_loss(reads, num_objects=num_objects),
        "dice": weights.dice * dice_loss(reads, num_objects=num_objects),
    }


def class_targets(
    class_logits: Float[Tensor, "L B Q K_plus_1"],
    labels: Int[Tensor, "B N"],
    queries: Int[Tensor, "L B N"],
    shown: Bool[Tensor, "L B N"],
) -> Int[Tensor, "L B Q"]:
    """Return the class that each query is to say: that of its visible object, else "no object"."""
    no_object = class_logits.shape[-1] - 1
    wanted = torch.full(class_logits.shape[:-1], no_object, device=class_logits.device)
    layer, video, column = shown.nonzero(as_tuple=True)
    wanted[layer, video, queries[layer, video, column]] = labels[video, column]
    return wanted


def _class_loss(
    class_logits: Tensor, targets: WindowTargets, queries: Tensor, shown: Tensor
) -> Float[Tensor, ""]:
    wanted = class_targets(class_logits, targets.labels, queries, shown)
    weight = class_logits.new_ones(class_logits.shape[-1])
    weight[-1] = NO_OBJECT_WEIGHT
    losses = [
        F.cross_entropy(logits.flatten(0, 1), classes.flatten(), weight=weight)
        for logits, classes in zip(class_logits, wanted, strict=True)
    ]
    return torch.stack(losses).sum()


def _reads(mask_logits: Tensor, targets: WindowTargets, queries: Tensor, shown: Tensor) -> MaskReads:
    index = queries.clamp(min=0)[..., None].expand(-1, -1, -1, mask_logits.shape[-1])
    logits = mask_logits.gather(2, index)  # (L, B, N, P)
    wanted = targets.masks[None].expand_as(logits)
    return MaskReads(
        logits=logits.flatten(1, 2), wanted=wanted.flatten(1, 2), weight=shown.flatten(1).to(logits.dtype)
    )
