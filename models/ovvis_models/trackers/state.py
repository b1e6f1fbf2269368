"""State that a tracker carries from frame to frame; its size does not grow with the length of the video."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackState:
    """M slots (rows) with one live track each. A track may change its slot, but never its id."""

    expected_tokens: Float[Tensor, "M F"]  # expected tracking token of each track in the next frame
    hidden: Float[Tensor, "M R"]  # state of the recurrent layer; R = 0 without one
    memory: Float[Tensor, "M T F"]  # tokens of the last T frames, newest last; T = 0 without a memory
    remembered: Bool[Tensor, "M T"]  # True where the track was seen in that frame
    track_ids: Int[Tensor, " M"]  # from 1, in order of creation
    frames_unseen: Int[Tensor, " M"]  # windows since the track was last seen; 0 = seen in the latest
    next_track_id: int

    @classmethod
    def empty(
        cls, num_features: int, *, device: torch.device, hidden_dim: int = 0, num_frames: int = 0
    ) -> "TrackState":
        """Return a state without tracks, with a memory of `num_frames` frames."""
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
        """Return new tracks that expect `tokens` next; their hidden state and memory are empty."""
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
        """Number of live tracks M."""
        return self.track_ids.shape[0]

    def select(self, slots: Int[Tensor, " K"]) -> "TrackState":
        """Return only the given slots, in the given order."""
        return self._with({name: value[slots] for name, value in self._tensors().items()})

    def updated(self, slots: Int[Tensor, " K"], rows: "TrackState") -> "TrackState":
        """Return the state with the given slots replaced by the slots of `rows`, in order."""
        new = rows._tensors()
        return self._with(
            {name: value.index_copy(0, slots, new[name]) for name, value in self._tensors().items()}
        )

    def followed_by(self, other: "TrackState") -> "TrackState":
        """Return the slots of both states; `next_track_id` is taken from `other`."""
        new = other._tensors()
        return other._with({name: torch.cat([x, new[name]]) for name, x in self._tensors().items()})

    def to(self, device: torch.device) -> "TrackState":
        """Return the state on another device."""
        return self._with({name: value.to(device) for name, value in self._tensors().items()})

    def fixed_tensors(self) -> dict[str, Tensor]:
        """Return none: every tensor changes with every window."""
        return {}

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the state as a flat dict of CPU tensors, which `from_tensors` reads without loss."""
        tensors = {name: value.cpu() for name, value in self._tensors().items()}
        return {**tensors, "next_track_id": torch.tensor(self.next_track_id)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "TrackState":
        """Return the state stored by `to_tensors`.

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
        """Return the state with all tensors replaced and the same `next_track_id`."""
        return self.from_tensors({**tensors, "next_track_id": torch.tensor(self.next_track_id)})

    def _tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name; the first axis of each is the slot."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if isinstance(value, Tensor)}
