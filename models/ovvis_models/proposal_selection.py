"""Which proposals of a frame are worth tracking."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def candidates(
    mask_logits: Float[Tensor, "Q h w"],
    object_scores: Float[Tensor, " Q"],
    *,
    score_floor: float,
    duplicate_overlap: float,
) -> Int[Tensor, " N"]:
    """Indices of proposals with a score and a mask, best first, without duplicates of better ones.

    Two proposals are duplicates when more than `duplicate_overlap` of the smaller mask, at the resolution of
    the logits, lies within the other: masks show visible parts, so those of two objects never overlap much,
    but a proposal for a part of an object lies within that for the whole. A duplicate of a dropped duplicate
    stays.
    """
    chosen = (object_scores >= score_floor).nonzero()[:, 0]
    chosen = chosen[object_scores[chosen].argsort(descending=True, stable=True)]
    masks = (mask_logits[chosen] > 0).flatten(1).float()
    areas = masks.sum(dim=1)
    overlap = masks @ masks.T
    shared = overlap / torch.minimum(areas[:, None], areas[None, :]).clamp(min=1.0)
    kept = _greedy(((shared > duplicate_overlap).cpu().numpy()), (areas > 0).cpu().numpy())
    return chosen[torch.from_numpy(kept).to(chosen.device)]


def _greedy(duplicates: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Positions kept of candidates that come best first; `duplicates` (N, N) bool, `usable` (N,) bool."""
    kept: list[int] = []
    for position in np.flatnonzero(usable):
        if not duplicates[position, kept].any():
            kept.append(int(position))
    return np.array(kept, dtype=np.int64)
