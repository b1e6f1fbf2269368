"""MinVIS: an image network, and its queries matched from frame to frame.

Paper: MinVIS: A Minimal Video Instance Segmentation Framework without Video-based Training (Huang et al.,
NeurIPS 2022).
Data flow: frames -> Mask2Former with a closed set of classes -> Q masks, class logits and queries of each
frame; queries -> previous-frame tracker -> Q tracks; mean of a track's class logits -> the video's best
(track, class) pairs.
Siblings: InstFormer names by CLIP and lets tracks begin and end.
Deviation: none in what is computed (proved by the parity fixture). The official code keeps the masks of all
queries in all frames until it knows which tracks it lists; here a caller who cannot keep them looks at the
video twice: `step` over all frames, `finish`, then the masks of the listed tracks.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from ovvis_models.heads.closed_set import ClassifiedQueries, best_pairs
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.preprocess import ImageInput, geometry, masks_to_original, prepare
from ovvis_models.structures import ImageGeometry
from ovvis_models.trackers.previous_frame import PreviousFrameTracker
from ovvis_models.trackers.state import TrackState

DIVISOR = 32
"""Coarsest stride of the network."""

NUM_RESULTS = 10
"""(track, class) pairs that the official code lists for a video, on every data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedSetPrediction:
    """Everything the network says about T frames of one size; nothing passes between them."""

    query_embeds: Float[Tensor, "T Q C"]
    mask_logits: Float[Tensor, "T Q h w"]  # at stride 4 of the padded input
    class_logits: Float[Tensor, "T Q K_plus_1"]  # last column: no object
    geometry: ImageGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class MinVISState:
    """What is carried through a video: the tracks, and the sum of their class logits so far."""

    tracks: TrackState
    class_logit_sum: Float[Tensor, "Q K_plus_1"]
    num_frames: int

    @property
    def class_logits(self) -> Float[Tensor, "Q K_plus_1"]:
        """Mean class logits of each track; every frame counts once, also those without the object."""
        return self.class_logit_sum / self.num_frames

    def to_tensors(self) -> dict[str, Tensor]:
        """A flat dict of CPU tensors that `from_tensors` turns back into exactly this state."""
        return {
            **self.tracks.to_tensors(),
            "class_logit_sum": self.class_logit_sum.cpu(),
            "num_frames": torch.tensor(self.num_frames),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "MinVISState":
        """The state that `to_tensors` wrote.

        Raises:
            KeyError: when a tensor is missing.
        """
        return cls(
            tracks=TrackState.from_tensors(tensors),
            class_logit_sum=tensors["class_logit_sum"],
            num_frames=int(tensors["num_frames"]),
        )


class MinVIS(nn.Module):
    """The network of MinVIS and its association. Holds no state: it is passed in and handed back."""

    def __init__(self, network: Mask2Former, *, image_input: ImageInput) -> None:
        super().__init__()
        self.network = network
        self.image_input = image_input
        self.tracker = PreviousFrameTracker()

    def predict(self, frames: UInt8[Tensor, "T H0 W0 3"]) -> ClosedSetPrediction:
        """What the network says about T RGB frames of one size, on the device of the frames."""
        wanted = self.image_input
        shape = geometry(
            (frames.shape[1], frames.shape[2]),
            short_side=wanted.short_side,
            max_side=wanted.max_side,
            divisor=DIVISOR,
        )
        images = prepare(frames, shape, mean=wanted.mean, std=wanted.std, resize=wanted.resize)
        last = self.network.last(images)
        return ClosedSetPrediction(
            query_embeds=last.query_embeds,
            mask_logits=last.mask_logits,
            class_logits=last.object_logits,
            geometry=shape,
        )

    def step(
        self, prediction: ClosedSetPrediction, state: MinVISState | None
    ) -> tuple[MinVISState, Int[Tensor, "T Q"]]:
        """The state after these frames (None before the first), and the query of every track in each."""
        query_of_track = []
        for queries, logits in zip(prediction.query_embeds, prediction.class_logits, strict=True):
            state, order = self._step_frame(queries, logits, state)
            query_of_track.append(order)
        if state is None:
            raise ValueError("a window needs at least one frame")
        return state, torch.stack(query_of_track)

    def finish(self, state: MinVISState, *, num_results: int = NUM_RESULTS) -> ClassifiedQueries:
        """The best (track, class) pairs of the video; a track may be listed under several classes."""
        return best_pairs(state.class_logits, num_pairs=num_results)

    def _step_frame(
        self, queries: Tensor, class_logits: Tensor, state: MinVISState | None
    ) -> tuple[MinVISState, Tensor]:
        if state is None:
            state = MinVISState(
                tracks=self.tracker.initial_state(queries.shape[1], queries.device),
                class_logit_sum=torch.zeros_like(class_logits),
                num_frames=0,
            )
        tracks, track_ids = self.tracker.step(state.tracks, queries, class_logits.new_ones(queries.shape[0]))
        order = track_ids.argsort()
        after = replace(
            state,
            tracks=tracks,
            class_logit_sum=state.class_logit_sum + class_logits[order],
            num_frames=state.num_frames + 1,
        )
        return after, order


def track_mask_logits(
    prediction: ClosedSetPrediction, query_of_track: Int[Tensor, "T Q"], tracks: Int[Tensor, " N"]
) -> Float[Tensor, "T N h w"]:
    """Mask logits of some tracks (0-based, as `ClassifiedQueries.query_index`) in each frame."""
    chosen = query_of_track[:, tracks]
    return torch.stack([masks[index] for masks, index in zip(prediction.mask_logits, chosen, strict=True)])


def track_masks(
    prediction: ClosedSetPrediction, query_of_track: Int[Tensor, "T Q"], tracks: Int[Tensor, " N"]
) -> Bool[Tensor, "T N H0 W0"]:
    """Masks of some tracks at the frames' own size."""
    logits = track_mask_logits(prediction, query_of_track, tracks)
    return torch.stack([masks_to_original(frame, prediction.geometry) for frame in logits])
