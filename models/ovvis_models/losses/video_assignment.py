"""Unified video label assignment (UVLA) of GenVIS: an object keeps the query that it is given first.

Paper: A Generalized Framework for Video Instance Segmentation (Heo et al., CVPR 2023), Sec. 3.2.
Windows are assigned in order. In each, only newborn objects are matched: those that are visible and have no
query yet. They may take every query but those of objects that are visible in this window. So a newborn may
take the query of an object that is out of sight at the time; both then share it. Each decoder layer has a
history of its own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_models.losses.matcher import CostWeights, bce_cost, dice_cost

UNBORN = -1
"""Stands for the query of an object that was never visible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowTargets:
    """The objects of B videos in one window, read at P places of all its frames. Rows beyond a video's
    objects are never visible.
    """

    labels: Int[Tensor, "B N"]
    masks: Float[Tensor, "B N P"]  # in [0, 1]
    visible: Bool[Tensor, "B N"]  # at least one pixel in this window, whether it was read or not


def uvla_costs(
    class_logits: Float[Tensor, "L B Q K_plus_1"],
    mask_logits: Float[Tensor, "L B Q P"],
    targets: WindowTargets,
    *,
    weights: CostWeights,
) -> Float[Tensor, "L B Q N"]:
    """Return the cost of each query for each object of its video, in each layer."""
    probs = class_logits.softmax(dim=-1)
    labels = targets.labels[None, :, None].expand(*probs.shape[:3], -1)
    return (
        weights.mask_bce * bce_cost(mask_logits, targets.masks)
        + weights.dice * dice_cost(mask_logits, targets.masks)
        - weights.object * probs.gather(-1, labels)
    )


def unborn(num_layers: int, targets: WindowTargets) -> Int[np.ndarray, "L B N"]:
    """Return the assignment before the first window: no object has a query."""
    return np.full((num_layers, *targets.visible.shape), UNBORN, dtype=np.int64)


def assign_window(
    costs: Float[Tensor, "L B Q N"], targets: WindowTargets, before: Int[np.ndarray, "L B N"]
) -> Int[np.ndarray, "L B N"]:
    """Return the query of each object after a window, `UNBORN` for those that were never visible.

    An object also stays unborn while no query is free for it.
    """
    values, visible = costs.detach().cpu().numpy(), targets.visible.cpu().numpy()
    after = before.copy()
    for layer, video in np.ndindex(*before.shape[:2]):
        after[layer, video] = _assign(values[layer, video], visible[video], before[layer, video])
    return after


def _assign(
    costs: Float[np.ndarray, "Q N"], visible: Bool[np.ndarray, " N"], before: Int[np.ndarray, " N"]
) -> Int[np.ndarray, " N"]:
    newborn = np.flatnonzero(visible & (before == UNBORN))
    free = np.ones(len(costs), dtype=bool)
    free[before[visible & (before != UNBORN)]] = False
    queries = np.flatnonzero(free)
    rows, columns = linear_sum_assignment(costs[np.ix_(queries, newborn)])
    after = before.copy()
    after[newborn[columns]] = queries[rows]
    return after


def assign_alone(costs: Float[Tensor, "L B Q N"], targets: WindowTargets) -> Int[np.ndarray, "L B N"]:
    """Return the assignment of a window by itself, as if it were the first: the baseline of the paper."""
    return assign_window(costs, targets, unborn(len(costs), targets))
