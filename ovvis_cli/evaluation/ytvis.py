"""Average precision of tracks: YouTube-VIS's evaluator and those derived from it.

    ground truth, predictions --by class--> IoU, matching of each video --> verdicts --> AP, AR

Numpy only, with exact pixel counts; equal to the official code up to rounding (tests/evaluation).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from ovvis_cli.data.tracks import GroundTruth, GroundTruthTrack, PredictedTrack
from ovvis_cli.evaluation.class_matching import (
    MatchedClass,
    RankedPredictions,
    VideoMatches,
    match_class,
    rank_predictions,
)
from ovvis_cli.evaluation.precision import precision_recall
from ovvis_cli.evaluation.rules import IOU_THRESHOLDS, MAX_PREDICTIONS, EvaluatorRules

ANY_CLASS: Final = -1
"""Category id of class-agnostic evaluations."""

_FIRST_RANGE = 0  # the range of all objects


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassResult:
    """Figures of one class for each range, threshold and limit of predictions; NaN without objects."""

    category_id: int
    average_precision: Float[np.ndarray, "L T"]
    recall: Float[np.ndarray, "L T M"]
    num_objects: int  # objects that count
    num_ignored_objects: int
    num_predictions: int  # predictions that count
    videos: tuple[VideoMatches, ...]  # videos with objects of the class


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEvaluation:
    """Figures of all classes with objects or predictions, by ascending id."""

    rules: EvaluatorRules
    classes: tuple[ClassResult, ...]


def evaluate_tracks(
    ground_truth: GroundTruth,
    predictions: Sequence[PredictedTrack],
    *,
    rules: EvaluatorRules,
    on_class: Callable[[int], None] = lambda done: None,
) -> TrackEvaluation:
    """Compute the official figures.

    Args:
        ground_truth: annotated tracks.
        predictions: in the order of their file, which breaks ties of scores.
        rules: rules of the evaluator.
        on_class: called with the number of finished classes.
    """
    objects = _objects_by_class(ground_truth, rules=rules)
    predicted = _predictions_by_class(ground_truth, predictions, rules=rules)
    classes = []
    for category_id in sorted({*objects, *predicted}):
        ranked = rank_predictions(predicted.get(category_id, ()))
        own_objects = objects.get(category_id)
        if own_objects is None:
            classes.append(_without_objects(category_id, predictions=ranked, rules=rules))
        else:
            classes.append(_with_objects(category_id, match_class(own_objects, ranked, rules=rules)))
        on_class(len(classes))
    return TrackEvaluation(rules=rules, classes=tuple(classes))


def _objects_by_class(
    ground_truth: GroundTruth, *, rules: EvaluatorRules
) -> dict[int, dict[int, list[GroundTruthTrack]]]:
    """Group objects by class and video; without classes, by category and then in the order of the file."""
    tracks = ground_truth.tracks
    ordered = tracks if rules.by_category else sorted(tracks, key=lambda track: track.category_id)
    grouped: dict[int, dict[int, list[GroundTruthTrack]]] = {}
    for track in ordered:
        category_id = track.category_id if rules.by_category else ANY_CLASS
        grouped.setdefault(category_id, {}).setdefault(track.video_id, []).append(track)
    return grouped


def _predictions_by_class(
    ground_truth: GroundTruth, predictions: Sequence[PredictedTrack], *, rules: EvaluatorRules
) -> dict[int, list[PredictedTrack]]:
    """Group predictions by class of the data set, in the order that breaks ties of scores."""
    if rules.relabel_predictions:
        return {ANY_CLASS: list(predictions)}
    known = [track for track in predictions if track.category_id in ground_truth.categories]
    if not rules.by_category:
        return {ANY_CLASS: sorted(known, key=lambda track: track.category_id)}
    grouped: dict[int, list[PredictedTrack]] = {}
    for track in known:
        grouped.setdefault(track.category_id, []).append(track)
    return grouped


def _with_objects(category_id: int, matched: MatchedClass) -> ClassResult:
    results = [
        precision_recall(matched.verdicts, max_predictions=max_predictions)
        for max_predictions in MAX_PREDICTIONS
    ]
    num_annotated = sum(len(video.objects) for video in matched.videos)
    num_objects = int(matched.verdicts.num_objects[_FIRST_RANGE])
    return ClassResult(
        category_id=category_id,
        average_precision=results[-1][0],
        recall=np.stack([recall for _, recall in results], axis=2),
        num_objects=num_objects,
        num_ignored_objects=num_annotated - num_objects,
        num_predictions=len(matched.verdicts.scores),
        videos=matched.videos,
    )


def _without_objects(
    category_id: int, *, predictions: RankedPredictions, rules: EvaluatorRules
) -> ClassResult:
    shape = (len(rules.ranges), len(IOU_THRESHOLDS))
    return ClassResult(
        category_id=category_id,
        average_precision=np.full(shape, np.nan),
        recall=np.full((*shape, len(MAX_PREDICTIONS)), np.nan),
        num_objects=0,
        num_ignored_objects=0,
        num_predictions=len(predictions.tracks),
        videos=(),
    )
