"""InstFormer's rollout tracker (paper Sec. 4.3, Eq. 5): a recurrent layer predicts each track's next token.

    token (F) --GRU cell, hidden state per track--> change (F);  expected next token = token + change

The prediction, not the last token, is what the next frame's proposals are compared with, so that a turning or
half hidden object is still found. Trained by `losses/temporal_contrastive.py` (Eq. 6), all else frozen.

Deviations from the paper. The cell predicts the *change* of the token: written as a residual whose last layer
starts at zero, an untrained tracker is exactly the adjacent one, and training on little video cannot end up
below it. The paper does not say which recurrent cell; this is a GRU.
"""

from copy import copy
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ovvis_models.trackers.assignment import AssociationRules, TrackRules, cosines
from ovvis_models.trackers.state import TrackState


class RolloutTracker(nn.Module):
    """Association with predicted tracking tokens. Holds weights only; the state is passed in and out."""

    def __init__(self, num_features: int, *, hidden_dim: int, rules: TrackRules | None = None) -> None:
        super().__init__()
        self.rules: TrackRules = rules or AssociationRules()
        self.cell = nn.GRUCell(num_features, hidden_dim)
        self.to_change = nn.Linear(hidden_dim, num_features)
        nn.init.zeros_(self.to_change.weight)
        nn.init.zeros_(self.to_change.bias)

    def with_rules(self, rules: TrackRules) -> "RolloutTracker":
        """Return a tracker that shares the weights and follows other rules."""
        other = copy(self)
        other.rules = rules
        return other

    def predict(
        self, tokens: Float[Tensor, "M F"], hidden: Float[Tensor, "M R"]
    ) -> tuple[Float[Tensor, "M F"], Float[Tensor, "M R"]]:
        """The next frame's expected tracking tokens, and the new hidden state. Differentiable."""
        hidden = self.cell(tokens, hidden)
        return tokens + self.to_change(hidden), hidden

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """No tracks yet.

        Raises:
            ValueError: when the tracking tokens do not have the width that the tracker was built for.
        """
        if num_features != self.cell.input_size:
            raise ValueError(f"tracker is for tokens of {self.cell.input_size} features, got {num_features}")
        return TrackState.empty(num_features, hidden_dim=self.cell.hidden_size, device=device)

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
        expected, hidden = self.predict(tokens, seen.hidden)
        return replace(seen, expected_tokens=expected, hidden=hidden)
