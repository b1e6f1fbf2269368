"""Association by similarity to each track's earlier tokens; no learned parameters.

With momentum 1, proposals are compared with each track's last token (InstFormer, Sec. 4.3, first part). Below
1, they are compared with a running mean of the track's tokens, as in OV2Seg (Towards Open-Vocabulary Video
Instance Segmentation, Wang et al., ICCV 2023), which uses 0.7.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.trackers.assignment import AssociationRules, TrackRules, cosines
from ovvis_models.trackers.state import TrackState

OV2SEG_MOMENTUM = 0.7
"""Weight of the newest token in the running mean, as published."""


class AdjacentTracker:
    """Tracker whose expected token is the last token of each track, or a running mean of its tokens."""

    def __init__(self, rules: TrackRules | None = None, *, momentum: float = 1.0) -> None:
        """Create the tracker.

        Args:
            rules: when tracks begin and end; None for the default `AssociationRules`.
            momentum: weight of the newest token in the running mean, in (0, 1]; 1 keeps the last token only.

        Raises:
            ValueError: when `momentum` is out of range.
        """
        if not 0.0 < momentum <= 1.0:
            raise ValueError(f"momentum must be in (0, 1], got {momentum}")
        self.rules: TrackRules = rules or AssociationRules()
        self.momentum = momentum

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """Return a state without tracks."""
        return TrackState.empty(num_features, device=device)

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """Match the proposals of one frame to tracks; see `Tracker.step`."""
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
