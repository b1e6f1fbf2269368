"""Values passed between the stages of the core.

Letters used in shapes throughout the project: B batch (frames analysed together), T frames in a window,
Q queries, N instances or tracks, K classes, C model width, D CLIP embedding width, L decoder layers,
P points; `H W` padded network input, `h w` mask or feature size, `H0 W0` original frame.
Sizes are always (height, width), points (x, y); the names of boxes say their format.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGeometry:
    """Sizes of a frame on its way to the network: original -> resized -> padded at right and bottom."""

    original_hw: tuple[int, int]
    resized_hw: tuple[int, int]
    padded_hw: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """Class-agnostic candidates of B frames, before classification and association."""

    query_embeds: Float[Tensor, "B Q C"]
    mask_logits: Float[Tensor, "B Q h w"]  # at stride 4 of the padded input
    object_logits: Float[Tensor, "B Q"]  # object score = sigmoid(object logit)
    mask_quality: Float[Tensor, "B Q"] | None = None  # predicted IoU with the object, [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedWindow:
    """Proposals and instance tokens of one window of T frames: the input of association by matching."""

    query_embeds: Float[Tensor, "Q C"]
    instance_tokens: Float[Tensor, "Q D"]  # see `FramePredictions`
    object_logits: Float[Tensor, " Q"]
    mask_logits: Float[Tensor, "T Q h w"]
    mask_quality: Float[Tensor, " Q"] | None  # predicted IoU; None for networks without it
    geometry: ImageGeometry

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return self.mask_logits.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameQueryWindow:
    """Encoded frame queries of one window of T frames: the input of `PropagatedQueries` (GenVIS)."""

    frame_tokens: Float[Tensor, "T Q C"]
    pixel_embeds: Float[Tensor, "T C h w"]  # stride 4 of the padded input; the masks come later
    geometry: ImageGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagedWindow:
    """An encoded window, and its frames as CLIP sees them."""

    window: FrameQueryWindow
    images: Float[Tensor, "T 3 Hc Wc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePredictions:
    """Proposals and instance tokens of B frames of one size, processed independently."""

    proposals: Proposals
    instance_tokens: Float[Tensor, "B Q D"]
    """Unit norm, or zero for masks too small for CLIP-VIS; class logits for a closed set of classes."""
    geometry: ImageGeometry

    def windows(self) -> tuple[EncodedWindow, ...]:
        """Return the B frames as windows of one frame."""
        proposals = self.proposals
        return tuple(
            EncodedWindow(
                query_embeds=proposals.query_embeds[index],
                instance_tokens=self.instance_tokens[index],
                object_logits=proposals.object_logits[index],
                mask_logits=proposals.mask_logits[index : index + 1],
                mask_quality=None if proposals.mask_quality is None else proposals.mask_quality[index],
                geometry=self.geometry,
            )
            for index in range(self.instance_tokens.shape[0])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSlots:
    """Instances of one window after association, sorted by track id: the output of every association."""

    track_ids: Int[Tensor, " N"]  # from 1, each at most once
    object_scores: Float[Tensor, " N"]  # in [0, 1]
    object_logits: Float[Tensor, " N"]
    instance_tokens: Float[Tensor, "N D"]
    mask_quality: Float[Tensor, " N"] | None
    mask_logits: Float[Tensor, "T N h w"]
    geometry: ImageGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameResult:
    """Provisional instances of one frame, before the scores of the whole video; sorted by track id."""

    frame_index: int
    track_ids: Int[np.ndarray, " N"]
    scores: Float[np.ndarray, " N"]  # object score in this frame, [0, 1]
    masks: Bool[np.ndarray, "N H0 W0"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """Result of one window after association: the instances of each frame, and the slots for scoring."""

    frames: tuple[FrameResult, ...]
    slots: WindowSlots


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSummary:
    """Summary of one track over the whole video; it does not depend on a vocabulary."""

    track_id: int
    object_score: float  # mean over the frames where it was seen; includes mask quality if predicted
    first_frame: int
    last_frame: int
    num_frames: int
    instance_token: Float[np.ndarray, " D"]  # score-weighted mean, unit norm; or mean class logits


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """Result of a whole video: all tracks, without class names."""

    num_frames: int
    tracks: tuple[TrackSummary, ...]
