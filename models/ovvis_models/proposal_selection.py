"""Which proposals of a window are tracked."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


class ProposalSelection(Protocol):
    """Chooses the proposals that take part in association."""

    def choose(
        self, mask_logits: Float[Tensor, "T Q h w"], object_scores: Float[Tensor, " Q"]
    ) -> Int[Tensor, " N"]:
        """Return the indices of the chosen proposals."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BestProposals:
    """Proposals with a sufficient score and a mask, without duplicates of better ones."""

    score_floor: float  # object score below which a proposal is ignored
    duplicate_overlap: float  # fraction of the smaller mask above which the worse of two proposals is ignored

    def choose(
        self, mask_logits: Float[Tensor, "T Q h w"], object_scores: Float[Tensor, " Q"]
    ) -> Int[Tensor, " N"]:
        """Return the indices, best first.

        Two proposals are duplicates when more than `duplicate_overlap` of the smaller mask, at the resolution
        of the logits, lies within the other: masks show visible parts, so those of two objects never overlap
        much, but a proposal for a part of an object lies within that for the whole. A duplicate of a dropped
        duplicate stays.
        """
        chosen = (object_scores >= self.score_floor).nonzero()[:, 0]
        chosen = chosen[object_scores[chosen].argsort(descending=True, stable=True)]
        masks = (mask_logits[:, chosen] > 0).transpose(0, 1).flatten(1).float()  # (N, T h w)
        areas = masks.sum(dim=1)
        overlap = masks @ masks.T
        shared = overlap / torch.minimum(areas[:, None], areas[None, :]).clamp(min=1.0)
        kept = _greedy(((shared > self.duplicate_overlap).cpu().numpy()), (areas > 0).cpu().numpy())
        return chosen[torch.from_numpy(kept).to(chosen.device)]


@dataclass(frozen=True, slots=True)
class AllProposals:
    """Every proposal, in its order: each query stays a slot, as the papers evaluate it."""

    def choose(
        self, mask_logits: Float[Tensor, "T Q h w"], object_scores: Float[Tensor, " Q"]
    ) -> Int[Tensor, " N"]:
        """Return all indices."""
        return torch.arange(object_scores.shape[0], device=object_scores.device)


ALL_PROPOSALS: Final = AllProposals()


def _greedy(duplicates: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Positions kept of candidates that come best first; `duplicates` (N, N) bool, `usable` (N,) bool."""
    kept: list[int] = []
    for position in np.flatnonzero(usable):
        if not duplicates[position, kept].any():
            kept.append(int(position))
    return np.array(kept, dtype=np.int64)
