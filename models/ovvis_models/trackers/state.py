"""What a tracker carries from frame to frame: explicit, small, independent of the video's length."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackState:
    """M slots with one live track each. A slot is a row; a track id is an identity, never used twice."""

    expected_tokens: Float[Tensor, "M F"]  # what each track's next tracking token should look like
    hidden: Float[Tensor, "M R"]  # memory of the recurrent layer; R = 0 where there is none
    track_ids: Int[Tensor, " M"]  # from 1, in the order of birth
    frames_unseen: Int[Tensor, " M"]  # frames since the track was last seen, 0 = seen in the latest
    next_track_id: int

    @classmethod
    def empty(cls, num_features: int, *, hidden_dim: int, device: torch.device) -> "TrackState":
        """The state before the first frame: no tracks."""
        return cls(
            expected_tokens=torch.zeros((0, num_features), device=device),
            hidden=torch.zeros((0, hidden_dim), device=device),
            track_ids=torch.zeros(0, dtype=torch.long, device=device),
            frames_unseen=torch.zeros(0, dtype=torch.long, device=device),
            next_track_id=1,
        )

    @property
    def num_slots(self) -> int:
        """How many tracks are alive."""
        return self.track_ids.shape[0]

    def select(self, slots: Int[Tensor, " K"]) -> "TrackState":
        """The state of only these slots, in the order given."""
        return replace(
            self,
            expected_tokens=self.expected_tokens[slots],
            hidden=self.hidden[slots],
            track_ids=self.track_ids[slots],
            frames_unseen=self.frames_unseen[slots],
        )

    def to(self, device: torch.device) -> "TrackState":
        """The same state on another device."""
        return replace(
            self,
            expected_tokens=self.expected_tokens.to(device),
            hidden=self.hidden.to(device),
            track_ids=self.track_ids.to(device),
            frames_unseen=self.frames_unseen.to(device),
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """A flat dict of CPU tensors that `from_tensors` turns back into exactly this state."""
        return {
            "expected_tokens": self.expected_tokens.cpu(),
            "hidden": self.hidden.cpu(),
            "track_ids": self.track_ids.cpu(),
            "frames_unseen": self.frames_unseen.cpu(),
            "next_track_id": torch.tensor(self.next_track_id),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "TrackState":
        """The state that `to_tensors` wrote.

        Raises:
            KeyError: when a tensor is missing.
        """
        return cls(
            expected_tokens=tensors["expected_tokens"],
            hidden=tensors["hidden"],
            track_ids=tensors["track_ids"],
            frames_unseen=tensors["frames_unseen"],
            next_track_id=int(tensors["next_track_id"]),
        )
