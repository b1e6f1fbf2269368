"""Annotated and predicted tracks of a data set, as the evaluators need them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Integer

Occlusion = Literal["no_occlusion", "slight_occlusion", "severe_occlusion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTrack:
    """The masks of one object in a video of T frames, as R intervals [start, end) of flat pixel positions.

    A position counts all pixels of earlier frames, then the pixels of its own frame in column order, as in
    COCO's runs. Intervals are not empty and sorted.
    """

    starts: Integer[np.ndarray, " R"]
    ends: Integer[np.ndarray, " R"]
    frame_areas: Int[np.ndarray, " T"]  # [px^2]; 0 where the object is not visible
    frame_pixels: int  # per frame

    @property
    def area(self) -> int:
        """Number of pixels over all frames [px^2]."""
        return int(self.frame_areas.sum())

    @property
    def mean_area(self) -> float:
        """Mean area [px^2] over the frames where the object is visible; 0 if it never is."""
        seen = self.frame_areas[self.frame_areas > 0]
        return float(seen.mean()) if seen.size else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedVideo:
    """A video of a data set; `file_names` are relative to the folder of frames."""

    video_id: int
    frame_hw: tuple[int, int]
    num_frames: int
    file_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedCategory:
    """A category as the annotation file lists it; flags that the file lacks are None."""

    category_id: int
    name: str
    split: str | None = None  # diorama: base, novel; BURST: common, uncommon
    frequency: str | None = None  # LVIS: f, c, r
    partition: int | None = None  # LV-VIS: 0, 1 base; 2, 3 novel


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTruthTrack:
    """One annotated object of one video."""

    annotation_id: int
    video_id: int
    category_id: int
    is_crowd: bool
    areas: Float[np.ndarray, " V"]  # [px^2] from the file, of the frames where it is neither null nor 0
    occlusions: tuple[Occlusion | None, ...] | None  # OVIS only, one per frame
    masks: MaskTrack


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTruth:
    """An annotation file: videos and categories by id, tracks in the order of the file."""

    videos: Mapping[int, AnnotatedVideo]
    categories: Mapping[int, AnnotatedCategory]
    tracks: tuple[GroundTruthTrack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedTrack:
    """One entry of a results file: a track with one label. Scores are finite; only their order counts."""

    entry: int  # position in the file
    video_id: int
    category_id: int
    score: float
    masks: MaskTrack
