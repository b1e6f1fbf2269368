"""What a tracker carries from frame to frame: explicit, small, independent of the video's length."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackState:
    """M slots with one live track each. A slot is a row; a track id is an identity, never used twice."""

    expected_tokens: Float[Tensor, "M F"]  # what each track's next tracking token should look like
    hidden: Float[Tensor, "M R"]  # memory of the recurrent layer; R = 0 where there is none
    memory: Float[Tensor, "M T F"]  # tokens in the last T frames, newest last; T = 0 where none are kept
    remembered: Bool[Tensor, "M T"]  # in which of these frames the track was seen
    track_ids: Int[Tensor, " M"]  # from 1, in the order of birth
    frames_unseen: Int[Tensor, " M"]  # frames since the track was last seen, 0 = seen in the latest
    next_track_id: int

    @classmethod
    def empty(
        cls, num_features: int, *, device: torch.device, hidden_dim: int = 0, num_frames: int = 0
    ) -> "TrackState":
        """The state before the first frame: no tracks, with room for the tokens of `num_frames` frames."""
        return cls.unseen(
            torch.zeros((0, num_features), device=device),
            track_ids=torch.zeros(0, dtype=torch.long, device=device),
            hidden_dim=hidden_dim,
            num_frames=num_frames,
            next_track_id=1,
        )

    @classmethod
    def unseen(
        cls,
        tokens: Float[Tensor, "M F"],
        *,
        track_ids: Int[Tensor, " M"],
        hidden_dim: int,
        num_frames: int,
        next_track_id: int,
    ) -> "TrackState":
        """New tracks that are expected to look like `tokens` and remember nothing yet."""
        num_tracks, num_features = tokens.shape
        return cls(
            expected_tokens=tokens,
            hidden=tokens.new_zeros((num_tracks, hidden_dim)),
            memory=tokens.new_zeros((num_tracks, num_frames, num_features)),
            remembered=torch.zeros((num_tracks, num_frames), dtype=torch.bool, device=tokens.device),
            track_ids=track_ids,
            frames_unseen=torch.zeros_like(track_ids),
            next_track_id=next_track_id,
        )

    @property
    def num_slots(self) -> int:
        """How many tracks are alive."""
        return self.track_ids.shape[0]

    def select(self, slots: Int[Tensor, " K"]) -> "TrackState":
        """The state of only these slots, in the order given."""
        return self._with({name: value[slots] for name, value in self._tensors().items()})

    def updated(self, slots: Int[Tensor, " K"], rows: "TrackState") -> "TrackState":
        """The state with these slots as they are in `rows`, in the order given."""
        new = rows._tensors()
        return self._with(
            {name: value.index_copy(0, slots, new[name]) for name, value in self._tensors().items()}
        )

    def followed_by(self, other: "TrackState") -> "TrackState":
        """The slots of both; the next track id is that of `other`."""
        new = other._tensors()
        return other._with({name: torch.cat([x, new[name]]) for name, x in self._tensors().items()})

    def to(self, device: torch.device) -> "TrackState":
        """The same state on another device."""
        return self._with({name: value.to(device) for name, value in self._tensors().items()})

    def to_tensors(self) -> dict[str, Tensor]:
        """A flat dict of CPU tensors that `from_tensors` turns back into exactly this state."""
        tensors = {name: value.cpu() for name, value in self._tensors().items()}
        return {**tensors, "next_track_id": torch.tensor(self.next_track_id)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "TrackState":
        """The state that `to_tensors` wrote.

        Raises:
            KeyError: when a tensor is missing.
        """
        return cls(
            expected_tokens=tensors["expected_tokens"],
            hidden=tensors["hidden"],
            memory=tensors["memory"],
            remembered=tensors["remembered"],
            track_ids=tensors["track_ids"],
            frames_unseen=tensors["frames_unseen"],
            next_track_id=int(tensors["next_track_id"]),
        )

    def _with(self, tensors: dict[str, Tensor]) -> "TrackState":
        """The state with all tensors replaced."""
        return self.from_tensors({**tensors, "next_track_id": torch.tensor(self.next_track_id)})

    def _tensors(self) -> dict[str, Tensor]:
        """All tensors by name; the first axis of each is that of the slots."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if isinstance(value, Tensor)}
