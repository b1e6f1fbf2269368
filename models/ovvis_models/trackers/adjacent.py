"""Association by similarity to how each track last looked; no parameters (paper Sec. 4.3, first part)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.trackers.assignment import AssociationRules, associate
from ovvis_models.trackers.state import TrackState


class AdjacentTracker:
    """Expects each track's next tracking token to be its last one."""

    def __init__(self, rules: AssociationRules | None = None) -> None:
        self.rules = rules or AssociationRules()

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """No tracks, no hidden state."""
        return TrackState.empty(num_features, hidden_dim=0, device=device)

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """See `Tracker.step`."""
        return associate(state, tracking_tokens, scores, rules=self.rules, predict=_same_again)


def _same_again(tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    return tokens, hidden
