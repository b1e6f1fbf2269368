"""Detections of one class in one sequence, frame by frame, with their similarities; the input of HOTA."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from ovvis_cli.data.burst import BurstSequence, BurstTrack
from ovvis_cli.data.tracks import MaskTrack
from ovvis_cli.evaluation.overlap import frame_ious

Similarity = Literal["boxes", "masks"]

_MATCH_IOU: Final = 0.5
_EPSILON: Final = float(np.finfo("float").eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDetections:
    """Detections of one frame; ids count from 0 within the class and sequence."""

    annotated_ids: Int[np.ndarray, " G"]
    predicted_ids: Int[np.ndarray, " D"]
    similarity: Float[np.ndarray, "G D"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFrames:
    """One class of one sequence, in the frames with any annotation."""

    frames: tuple[FrameDetections, ...]
    num_annotated_ids: int
    num_predicted_ids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRules:
    """Treatment of predictions without a matching annotation."""

    is_negative: bool  # the class is known to be absent: they are wrong
    is_not_exhaustive: bool  # there may be more objects than annotated: they do not count


def class_frames(
    annotated: Sequence[BurstTrack],
    predicted: Sequence[BurstTrack],
    *,
    seen: Bool[np.ndarray, " T"],
    sequence: BurstSequence,
    rules: ClassRules,
    similarity: Similarity,
) -> ClassFrames:
    """Return the detections that count.

    Args:
        annotated: tracks of the class.
        predicted: tracks of the class.
        seen: frames with any annotation; other frames are ignored.
        sequence: the sequence of the tracks.
        rules: rules for the class in this sequence.
        similarity: of boxes, as in the official code, or of masks, as in the paper.
    """
    similarities = _similarities(annotated, predicted, sequence=sequence, similarity=similarity)
    annotated_places = _places(annotated, num_frames=len(seen))
    predicted_places = _places(predicted, num_frames=len(seen))
    frames = [
        _frame(
            _in_order(annotated_places[:, t]),
            _in_order(predicted_places[:, t]),
            similarity=similarities[t],
            rules=rules,
        )
        for t in np.flatnonzero(seen)
    ]
    return _with_dense_ids(frames)


def boxes_xyxy(masks: MaskTrack, *, frame_hw: tuple[int, int]) -> Int[np.ndarray, "T 4"]:
    """Return the tight box of each frame's mask [px], ends excluded; all zero for an empty mask."""
    height, width = frame_hw
    num_frames = len(masks.frame_areas)
    first, last = masks.starts.astype(np.int64), masks.ends.astype(np.int64) - 1
    frame = first // (height * width)
    first, last = first - frame * height * width, last - frame * height * width
    one_column = first // height == last // height
    top = np.where(one_column, first % height, 0)
    bottom = np.where(one_column, last % height, height - 1)
    boxes = np.zeros((num_frames, 4), dtype=np.int64)
    boxes[:, :2] = max(height, width)
    np.minimum.at(boxes[:, 0], frame, first // height)
    np.minimum.at(boxes[:, 1], frame, top)
    np.maximum.at(boxes[:, 2], frame, last // height + 1)
    np.maximum.at(boxes[:, 3], frame, bottom + 1)
    boxes[masks.frame_areas == 0] = 0
    return boxes


def _similarities(
    annotated: Sequence[BurstTrack],
    predicted: Sequence[BurstTrack],
    *,
    sequence: BurstSequence,
    similarity: Similarity,
) -> Float[np.ndarray, "T G D"]:
    num_frames = len(sequence.frames)
    if not annotated or not predicted:
        return np.zeros((num_frames, len(annotated), len(predicted)))
    masks, predicted_masks = [track.masks for track in annotated], [track.masks for track in predicted]
    if similarity == "masks":
        return frame_ious(masks, predicted_masks, num_frames=num_frames)
    boxes = np.stack([boxes_xyxy(own, frame_hw=sequence.frame_hw) for own in masks], axis=1)
    predicted_boxes = np.stack(
        [boxes_xyxy(own, frame_hw=sequence.frame_hw) for own in predicted_masks], axis=1
    )
    return _box_ious(boxes[:, :, None], predicted_boxes[:, None])


def _box_ious(
    first: Int[np.ndarray, "*batch 4"], second: Int[np.ndarray, "*batch 4"]
) -> Float[np.ndarray, "*batch"]:
    size = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    common = np.maximum(size, 0).prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (first, second)]
    unions = areas[0] + areas[1] - common
    return np.divide(common, unions, out=np.zeros(unions.shape), where=unions > 0)


def _places(tracks: Sequence[BurstTrack], *, num_frames: int) -> Int[np.ndarray, "N T"]:
    if not tracks:
        return np.zeros((0, num_frames), dtype=np.int64)
    return np.stack([track.places for track in tracks])


def _in_order(places: Int[np.ndarray, " N"]) -> Int[np.ndarray, " D"]:
    """Return the tracks that a frame lists, in its order, which decides between equal matches."""
    order = np.argsort(places, kind="stable")
    return order[places[order] >= 0]


def _frame(
    annotated: Int[np.ndarray, " G"],
    predicted: Int[np.ndarray, " D"],
    *,
    similarity: Float[np.ndarray, "A P"],
    rules: ClassRules,
) -> FrameDetections:
    own = similarity[np.ix_(annotated, predicted)]
    removes_unmatched = (not annotated.size and not rules.is_negative) or rules.is_not_exhaustive
    kept = _matched(own) if removes_unmatched else np.ones(predicted.size, dtype=bool)
    return FrameDetections(annotated_ids=annotated, predicted_ids=predicted[kept], similarity=own[:, kept])


def _matched(similarity: Float[np.ndarray, "G D"]) -> Bool[np.ndarray, " D"]:
    """Return which predictions have a partner, one to one, that is similar enough."""
    scores = np.where(similarity < _MATCH_IOU - _EPSILON, 0.0, similarity)
    rows, columns = linear_sum_assignment(-scores)
    matched = np.zeros(similarity.shape[1], dtype=bool)
    matched[columns[scores[rows, columns] > _EPSILON]] = True
    return matched


def _with_dense_ids(frames: Sequence[FrameDetections]) -> ClassFrames:
    """Renumber the ids that occur, from 0."""
    annotated = np.unique(np.concatenate([np.zeros(0, int), *(frame.annotated_ids for frame in frames)]))
    predicted = np.unique(np.concatenate([np.zeros(0, int), *(frame.predicted_ids for frame in frames)]))
    return ClassFrames(
        frames=tuple(
            FrameDetections(
                annotated_ids=np.searchsorted(annotated, frame.annotated_ids),
                predicted_ids=np.searchsorted(predicted, frame.predicted_ids),
                similarity=frame.similarity,
            )
            for frame in frames
        ),
        num_annotated_ids=len(annotated),
        num_predicted_ids=len(predicted),
    )
