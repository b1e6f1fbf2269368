"""The seam that every tracker fits, and the tokens that trackers compare."""

from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.trackers.state import TrackState

TrackedBy = Literal["query", "query-and-token"]
"""What of a proposal a tracker compares: its query alone, or with its instance token beside it."""


@runtime_checkable
class Tracker(Protocol):
    """Gives the proposals of one frame their track ids. Holds no state: it is passed in and handed back."""

    def initial_state(self, num_features: int, device: torch.device) -> TrackState:
        """The state before the first frame, for tracking tokens of `num_features`."""
        ...

    def step(
        self,
        state: TrackState,
        tracking_tokens: Float[Tensor, "N F"],
        scores: Float[Tensor, " N"],
    ) -> tuple[TrackState, Int[Tensor, " N"]]:
        """The state after this frame, and each proposal's track id: -1 where it belongs to no track.

        `scores` are object scores in [0, 1]. N may be 0.
        """
        ...


def tracking_tokens(
    query_embeds: Float[Tensor, "*batch C"], instance_tokens: Float[Tensor, "*batch D"]
) -> Float[Tensor, "*batch C+D"]:
    """Cat(query, instance token) of paper Sec. 4.3, unit norm.

    Each part is normalised alone first, so that both weigh the same in a cosine whatever their scale: the
    query of a Mask2Former has a norm near sqrt(C), an instance token a norm of 1.
    """
    both = (F.normalize(query_embeds.float(), dim=-1), F.normalize(instance_tokens.float(), dim=-1))
    return torch.cat(both, dim=-1) / 2**0.5
