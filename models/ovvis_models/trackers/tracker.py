"""Interface of all trackers, and the tokens that they compare."""

from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.trackers.state import TrackState

TrackedBy = Literal["query", "query-and-token"]
"""What a tracker compares: the query of a proposal, or its query and its instance token."""


@runtime_checkable
class Tracker(Protocol):
    """Assigns track ids to the proposals of each frame. It holds no state; callers pass the state in."""

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """Return the state before the first frame, for tracking tokens with `num_features` features."""
        ...

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """Return the state after this frame, and the track id of each proposal (-1 for none).

        Args:
            state: the state after the previous frame.
            tracking_tokens: tokens of the N proposals of this frame; N may be 0.
            scores: object scores of the proposals, in [0, 1].
        """
        ...


def tracking_tokens(
    query_embeds: Float[Tensor, "*batch C"], instance_tokens: Float[Tensor, "*batch D"]
) -> Float[Tensor, "*batch C+D"]:
    """Return the concatenation of query and instance token (InstFormer, Sec. 4.3), with unit norm.

    Each part is normalised first, so that both contribute equally to a cosine similarity: a Mask2Former query
    has a norm near sqrt(C), an instance token a norm of 1.
    """
    both = (F.normalize(query_embeds.float(), dim=-1), F.normalize(instance_tokens.float(), dim=-1))
    return torch.cat(both, dim=-1) / 2**0.5
