"""InstFormer's rollout tracker (paper Sec. 4.3, Eq. 5): a recurrent layer predicts each track's next token.

    token (F) --GRU cell, hidden state per track--> change (F);  expected next token = token + change

The proposals of the next frame are compared with this prediction instead of the last token, so that a
rotating or partly occluded object is still matched. The tracker is trained with
`losses/temporal_contrastive.py` (Eq. 6) while all other networks are frozen.

Deviations from the paper: the cell predicts the change of the token, and its output layer is initialised to
zero. An untrained tracker therefore equals the adjacent tracker, and training on little video starts from
there. The paper does not name the type of recurrent cell; this is a GRU.
"""

from copy import copy
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ovvis_models.trackers.assignment import AssociationRules, TrackRules, cosines
from ovvis_models.trackers.state import TrackState


class RolloutTracker(nn.Module):
    """Tracker that compares proposals with predicted tokens. It holds weights; callers hold the state."""

    def __init__(self, num_features: int, *, hidden_dim: int, rules: TrackRules | None = None) -> None:
        super().__init__()
        self.rules: TrackRules = rules or AssociationRules()
        self.cell = nn.GRUCell(num_features, hidden_dim)
        self.to_change = nn.Linear(hidden_dim, num_features)
        nn.init.zeros_(self.to_change.weight)
        nn.init.zeros_(self.to_change.bias)

    def with_rules(self, rules: TrackRules) -> "RolloutTracker":
        """Return a tracker with the same weights and other rules."""
        other = copy(self)
        other.rules = rules
        return other

    def predict(
        self, tokens: Float[Tensor, "M F"], hidden: Float[Tensor, "M R"]
    ) -> tuple[Float[Tensor, "M F"], Float[Tensor, "M R"]]:
        """Return the next frame's expected tokens and the new hidden state; differentiable."""
        hidden = self.cell(tokens, hidden)
        return tokens + self.to_change(hidden), hidden

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """Return a state without tracks.

        Raises:
            ValueError: when `num_features` is not the token width that the tracker was built for.
        """
        if num_features != self.cell.input_size:
            raise ValueError(f"tracking tokens must have {self.cell.input_size} features, got {num_features}")
        return TrackState.empty(num_features, hidden_dim=self.cell.hidden_size, device=device)

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
        expected, hidden = self.predict(tokens, seen.hidden)
        return replace(seen, expected_tokens=expected, hidden=hidden)
