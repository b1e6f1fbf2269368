"""VideoSegmenter: a whole video through network and tracker, batch by batch, in memory that stays flat.

    frames --predict--> WindowPrediction --step--> FrameResult of each frame ... --finish--> VideoResult

`predict` is stateless and the expensive part; `step` is sequential and cheap, so the caller may overlap them.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ovvis_models.heads.closed_set import mask_quality
from ovvis_models.heads.weighted_scores import refined_scores
from ovvis_models.preprocess import masks_to_original
from ovvis_models.proposal_selection import candidates
from ovvis_models.structures import FrameResult, ImageGeometry, Proposals, VideoResult, WindowPrediction
from ovvis_models.track_table import TrackTable
from ovvis_models.trackers.state import TrackState
from ovvis_models.trackers.tracker import TrackedBy, Tracker, tracking_tokens

_TRACKER, _TRACKS, _NUM_FRAMES = "tracker.", "tracks.", "num_frames"


@runtime_checkable
class FrameNetwork(Protocol):
    """What a network must do to be segmented with."""

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> WindowPrediction:
        """Proposals and instance tokens of B frames of one size."""
        ...


class VideoSegmenter:
    """One video's segmentation in progress. Make a new one for each video: they share network and tracker."""

    def __init__(
        self,
        network: FrameNetwork,
        tracker: Tracker,
        *,
        score_floor: float = 0.25,
        duplicate_overlap: float = 0.7,
        tracked_by: TrackedBy = "query-and-token",
        weight_by_mask_confidence: bool = False,
        every_proposal: bool = False,
        closed_set: bool = False,
    ) -> None:
        """Starts before the first frame.

        Args:
            network: makes the predictions.
            tracker: on the device of the predictions.
            score_floor: proposals below this object score are ignored.
            duplicate_overlap: of two proposals that share more than this part of the smaller mask, the better
                one is kept.
            tracked_by: what of a proposal the tracker compares.
            weight_by_mask_confidence: an object score is multiplied by the mean probability inside the mask.
            every_proposal: the tracker gets all of them, in their order; the two limits above play no part.
            closed_set: instance tokens are class logits, of which a track has the plain mean; with
                `every_proposal` over all frames, as MinVIS takes it.
        """
        self.network = network
        self.tracker = tracker
        self.score_floor = score_floor
        self.duplicate_overlap = duplicate_overlap
        self.tracked_by = tracked_by
        self.weight_by_mask_confidence = weight_by_mask_confidence
        self.every_proposal = every_proposal
        self.closed_set = closed_set
        self._state: TrackState | None = None
        self._tracks: TrackTable | None = None
        self._num_frames = 0

    @property
    def num_frames(self) -> int:
        """Frames so far, those before a `load_state_dict` included."""
        return self._num_frames

    @torch.inference_mode()
    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> WindowPrediction:
        """What the network says about B RGB frames of one size. Stateless."""
        return self.network.predict(frames)

    @torch.inference_mode()
    def step(self, prediction: WindowPrediction, frame_indices: Sequence[int]) -> list[FrameResult]:
        """Associates the next B frames with all before; one result a frame, in order.

        Instances of a result are sorted by track id; their masks may overlap, and none is empty.

        Raises:
            ValueError: when there is not one index a frame.
        """
        proposals = prediction.proposals
        if len(frame_indices) != proposals.object_logits.shape[0]:
            raise ValueError(
                f"{len(frame_indices)} frame indices for {proposals.object_logits.shape[0]} predicted frames"
            )
        tokens = prediction.instance_tokens.float()
        queries = proposals.query_embeds.float()
        by_query = self.tracked_by == "query"
        scores = self._object_scores(proposals)
        parts = zip(
            frame_indices,
            proposals.mask_logits,
            scores,
            self._track_scores(scores, proposals.mask_quality),
            tokens,
            queries if by_query else tracking_tokens(queries, tokens),
            strict=True,
        )
        return [
            self._step_frame(
                index,
                mask_logits=mask_logits,
                object_scores=object_scores,
                track_scores=track_scores,
                instance_tokens=instance_tokens,
                tracking=tracking,
                geometry=prediction.geometry,
            )
            for index, mask_logits, object_scores, track_scores, instance_tokens, tracking in parts
        ]

    def finish(self) -> VideoResult:
        """Everything known of the video up to here; may be asked at any time."""
        tracks = () if self._tracks is None else self._tracks.summaries()
        return VideoResult(num_frames=self._num_frames, tracks=tracks)

    def state_dict(self) -> dict[str, Tensor]:
        """All that a later `VideoSegmenter` needs to go on exactly here: flat, on the CPU, not shared."""
        state = {_NUM_FRAMES: torch.tensor(self._num_frames)}
        if self._state is not None and self._tracks is not None:
            state |= {f"{_TRACKER}{name}": value for name, value in self._state.to_tensors().items()}
            state |= {f"{_TRACKS}{name}": value for name, value in self._tracks.to_tensors().items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on where the `state_dict` was taken, with the same network and tracker.

        Raises:
            KeyError: when it is not a complete state.
        """
        self._num_frames = int(state[_NUM_FRAMES])
        started = any(name.startswith(_TRACKER) for name in state)
        self._state = TrackState.from_tensors(_under(state, _TRACKER)) if started else None
        self._tracks = self._stored_tracks(state) if started else None

    def _stored_tracks(self, state: Mapping[str, Tensor]) -> TrackTable:
        return TrackTable.from_tensors(_under(state, _TRACKS), unit_norm=not self.closed_set)

    def _step_frame(
        self,
        frame_index: int,
        *,
        mask_logits: Float[Tensor, "Q h w"],
        object_scores: Float[Tensor, " Q"],
        track_scores: Float[Tensor, " Q"],
        instance_tokens: Float[Tensor, "Q D"],
        tracking: Float[Tensor, "Q F"],
        geometry: ImageGeometry,
    ) -> FrameResult:
        chosen = self._candidates(mask_logits, object_scores)
        if self._state is None:
            self._state = self.tracker.initial_state(tracking.shape[1], tracking.device)
        before = self._state.to(tracking.device)  # a resumed state comes on the CPU
        self._state, track_ids = self.tracker.step(before, tracking[chosen], object_scores[chosen])
        self._num_frames += 1

        tracked = (track_ids >= 0).nonzero()[:, 0]
        tracked = tracked[track_ids[tracked].argsort()]
        kept = chosen[tracked]
        masks = masks_to_original(mask_logits[kept], geometry)
        visible = masks.flatten(1).any(dim=1)  # a small mask may vanish at the frame's own size
        result = FrameResult(
            frame_index=frame_index,
            track_ids=track_ids[tracked][visible].cpu().numpy(),
            scores=object_scores[kept][visible].cpu().numpy(),
            masks=masks[visible].cpu().numpy(),
        )
        if self._tracks is None:
            self._tracks = TrackTable(instance_tokens.shape[1], unit_norm=not self.closed_set)
        # of a closed set a proposal without a mask counts too: its logits say that there is nothing
        counted = torch.ones_like(visible) if self.closed_set else visible
        self._tracks.add(
            frame_index,
            track_ids[tracked][counted].cpu().numpy(),
            scores=track_scores[kept][counted].cpu().numpy(),
            tokens=instance_tokens[kept][counted].cpu().numpy(),
        )
        return result

    def _object_scores(self, proposals: Proposals) -> Float[Tensor, "B Q"]:
        scores = proposals.object_logits.float().sigmoid()
        return (
            scores * mask_quality(proposals.mask_logits.float()) if self.weight_by_mask_confidence else scores
        )

    def _track_scores(
        self, object_scores: Float[Tensor, "B Q"], quality: Float[Tensor, "B Q"] | None
    ) -> Float[Tensor, "B Q"]:
        """What a proposal adds to the score of its track; class logits of a closed set hold it already."""
        if self.closed_set:
            return torch.ones_like(object_scores)
        return object_scores if quality is None else refined_scores(object_scores, quality.float())

    def _candidates(self, mask_logits: Tensor, object_scores: Tensor) -> Tensor:
        if self.every_proposal:
            return torch.arange(object_scores.shape[0], device=object_scores.device)
        return candidates(
            mask_logits, object_scores, score_floor=self.score_floor, duplicate_overlap=self.duplicate_overlap
        )


def _under(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
