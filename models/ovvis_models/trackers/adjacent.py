"""Association by similarity to how each track looked; no parameters.

Momentum 1 is the last look (InstFormer, Sec. 4.3, first part); below 1 it is a running mean of all looks, as
OV2Seg (Towards Open-Vocabulary Video Instance Segmentation, Wang et al., ICCV 2023) keeps it with 0.7.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.trackers.assignment import AssociationRules, TrackRules, cosines
from ovvis_models.trackers.state import TrackState

OV2SEG_MOMENTUM = 0.7
"""Weight of the newest look, as published."""


class AdjacentTracker:
    """Expects each track's next tracking token to be its last one, or a running mean."""

    def __init__(self, rules: TrackRules | None = None, *, momentum: float = 1.0) -> None:
        """Starts with rules and the weight of the newest look, in (0, 1].

        Raises:
            ValueError: when `momentum` is out of range.
        """
        if not 0.0 < momentum <= 1.0:
            raise ValueError(f"momentum is the newest look's weight in (0, 1], got {momentum}")
        self.rules: TrackRules = rules or AssociationRules()
        self.momentum = momentum

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """No tracks, no hidden state."""
        return TrackState.empty(num_features, device=device)

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """See `Tracker.step`."""
        return self.rules.associate(
            state,
            tracking_tokens,
            scores,
            similarity=cosines(state.expected_tokens, tracking_tokens),
            update=self._update,
        )

    def _update(self, seen: TrackState, tokens: Tensor) -> TrackState:
        if self.momentum == 1.0:
            return replace(seen, expected_tokens=tokens)
        return replace(seen, expected_tokens=torch.lerp(seen.expected_tokens, tokens, self.momentum))
