"""The values that travel between the stages of the core.

Letters used in shapes throughout the project: B batch (frames analysed together), T frames in a window,
Q queries, N instances or tracks, K classes, C model width, D CLIP embedding width, L decoder layers,
P points; `H W` padded network input, `h w` mask or feature size, `H0 W0` original frame.
Sizes are always (height, width), points (x, y), boxes as their name says.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGeometry:
    """How one frame size maps to the network's input: original -> resized -> padded at right and bottom."""

    original_hw: tuple[int, int]
    resized_hw: tuple[int, int]
    padded_hw: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """Class-agnostic candidates of B frames, before classification and association."""

    query_embeds: Float[Tensor, "B Q C"]
    mask_logits: Float[Tensor, "B Q h w"]  # at stride 4 of the padded input
    object_logits: Float[Tensor, "B Q"]  # sigmoid of it is the object score
    mask_quality: Float[Tensor, "B Q"] | None = None  # expected overlap (IoU) with the object, [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPrediction:
    """Everything the networks say about B frames of one size: proposals and their instance tokens."""

    proposals: Proposals
    instance_tokens: Float[Tensor, "B Q D"]
    """Unit norm, or zero where a mask is too small for CLIP-VIS; of a closed set, its class logits."""
    geometry: ImageGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameResult:
    """Provisional instances of one frame, in the order of their tracks."""

    frame_index: int
    track_ids: Int[np.ndarray, " N"]
    scores: Float[np.ndarray, " N"]  # object score in this frame, [0, 1]
    masks: Bool[np.ndarray, "N H0 W0"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSummary:
    """One identity over the whole video, before any vocabulary is asked."""

    track_id: int
    object_score: float  # mean over the frames where it was seen; refined by mask quality where predicted
    first_frame: int
    last_frame: int
    num_frames: int
    instance_token: Float[np.ndarray, " D"]  # score-weighted mean, unit norm; or mean class logits


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """What is known when the video has ended."""

    num_frames: int
    tracks: tuple[TrackSummary, ...]
