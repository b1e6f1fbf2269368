"""VideoSegmenter: a whole video through a network and its association, in memory that stays flat.

    frames --encode--> encoded windows --step--> WindowResult of each window ... --finish--> VideoResult

`encode` is stateless and the expensive part; `step` is sequential and cheap, so the caller may overlap them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ovvis_models.association import Association, AssociationState
from ovvis_models.preprocess import masks_to_original
from ovvis_models.scoring.track_table import TokenMean, TrackTable
from ovvis_models.structures import FrameResult, VideoResult, WindowResult, WindowSlots

Window = TypeVar("Window")
_Encoded = TypeVar("_Encoded", covariant=True)

_ASSOCIATION, _TRACKS, _NUM_FRAMES = "tracker.", "tracks.", "num_frames"


class FrameEncoder(Protocol[_Encoded]):
    """A network that turns frames into encoded windows. Stateless."""

    def encode(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> Sequence[_Encoded]:
        """Return the windows of B RGB frames of one size: whole windows, only the last may be shorter."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterState:
    """All that a later `VideoSegmenter` needs to continue: flat, on the CPU, never changed in place."""

    changing: dict[str, Tensor]
    fixed: dict[str, Tensor]  # never change under their names, so a checkpoint writes each once

    def all_tensors(self) -> dict[str, Tensor]:
        """Return both parts, for `load_state_dict`."""
        return self.changing | self.fixed


class VideoSegmenter(Generic[Window]):
    """One video's segmentation in progress. Make a new one for each video: networks are shared."""

    def __init__(
        self,
        encoder: FrameEncoder[Window],
        association: Association[Window, Any],
        *,
        token_mean: TokenMean,
    ) -> None:
        """Start before the first frame.

        Args:
            encoder: makes the windows.
            association: on the device of the windows.
            token_mean: how the tokens of a track are averaged.
        """
        self.encoder = encoder
        self.association = association
        self.token_mean = token_mean
        self._state: AssociationState | None = None
        self._tracks: TrackTable | None = None
        self._num_frames = 0

    @property
    def num_frames(self) -> int:
        """Frames so far, including those before a `load_state_dict`."""
        return self._num_frames

    @torch.inference_mode()
    def encode(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> Sequence[Window]:
        """Return the encoded windows of B RGB frames of one size. Stateless."""
        return self.encoder.encode(frames)

    @torch.inference_mode()
    def step(self, window: Window, frame_indices: Sequence[int]) -> WindowResult:
        """Associate the next window with all before.

        Instances of a frame are sorted by track id; their masks may overlap, and none is empty.

        Raises:
            ValueError: when there is not one index per frame.
        """
        state = self.association.start(window) if self._state is None else self._state
        state, slots = self.association.step(state, window)
        num_frames = slots.mask_logits.shape[0]
        if len(frame_indices) != num_frames:
            raise ValueError(f"{len(frame_indices)} frame indices for a window of {num_frames} frames")
        self._state = state
        self._num_frames += num_frames
        masks = [masks_to_original(logits, slots.geometry) for logits in slots.mask_logits]
        self._add_to_tracks(slots, masks, frame_indices=frame_indices)
        frames = tuple(
            _frame_result(index, slots, masks=frame_masks)
            for index, frame_masks in zip(frame_indices, masks, strict=True)
        )
        return WindowResult(frames=frames, slots=slots)

    def finish(self) -> VideoResult:
        """Return everything known of the video up to here; may be called at any time."""
        tracks = () if self._tracks is None else self._tracks.summaries()
        return VideoResult(num_frames=self._num_frames, tracks=tracks)

    def state(self) -> SegmenterState:
        """Return all that a later `VideoSegmenter` needs to continue here."""
        changing, fixed = {_NUM_FRAMES: torch.tensor(self._num_frames)}, {}
        if self._state is not None and self._tracks is not None:
            changing |= {f"{_ASSOCIATION}{name}": value for name, value in self._state.to_tensors().items()}
            changing |= {f"{_TRACKS}{name}": value for name, value in self._tracks.to_tensors().items()}
            fixed = {f"{_ASSOCIATION}{name}": value for name, value in self._state.fixed_tensors().items()}
        return SegmenterState(changing=changing, fixed=fixed)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the same as one flat dict."""
        return self.state().all_tensors()

    def load_state_dict(self, state: Mapping[str, Tensor], *, device: torch.device | None = None) -> None:
        """Continue where the `state_dict` was taken, with the same networks, on the device of the windows.

        Raises:
            KeyError: when it is not a complete state.
        """
        self._num_frames = int(state[_NUM_FRAMES])
        association = _under(state, _ASSOCIATION)
        if not association:
            self._state = self._tracks = None
            return
        restored = self.association.restore(association)
        self._state = restored if device is None else restored.to(device)
        self._tracks = TrackTable.from_tensors(_under(state, _TRACKS), mean=self.token_mean)

    def _add_to_tracks(
        self, slots: WindowSlots, masks: Sequence[Bool[Tensor, "N H0 W0"]], *, frame_indices: Sequence[int]
    ) -> None:
        if self._tracks is None:
            self._tracks = TrackTable(slots.instance_tokens.shape[1], mean=self.token_mean)
        weights = self.token_mean.weights(slots)
        for frame_index, frame_masks in zip(frame_indices, masks, strict=True):
            visible = _visible(frame_masks)
            counted = torch.ones_like(visible) if self.token_mean.counts_hidden else visible
            self._tracks.add(
                frame_index,
                slots.track_ids[counted].cpu().numpy(),
                weights=weights[counted].cpu().numpy(),
                tokens=slots.instance_tokens[counted].cpu().numpy(),
            )


def _frame_result(frame_index: int, slots: WindowSlots, *, masks: Bool[Tensor, "N H0 W0"]) -> FrameResult:
    visible = _visible(masks)
    return FrameResult(
        frame_index=frame_index,
        track_ids=slots.track_ids[visible].cpu().numpy(),
        scores=slots.object_scores[visible].cpu().numpy(),
        masks=masks[visible].cpu().numpy(),
    )


def _visible(masks: Bool[Tensor, "N H0 W0"]) -> Bool[Tensor, " N"]:
    """Return which masks are not empty: a small mask may vanish at the frame's own size."""
    return masks.flatten(1).any(dim=1)


def _under(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
