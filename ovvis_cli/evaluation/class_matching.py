"""Matching of one class over all videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from ovvis_cli.data.tracks import GroundTruthTrack, PredictedTrack
from ovvis_cli.evaluation.matching import match_tracks
from ovvis_cli.evaluation.overlap import track_ious
from ovvis_cli.evaluation.precision import Verdicts
from ovvis_cli.evaluation.ranges import objects_outside, predictions_outside
from ovvis_cli.evaluation.rules import IOU_THRESHOLDS, MAX_PREDICTIONS, EvaluatorRules

_THRESHOLDS: Final = np.asarray(IOU_THRESHOLDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPredictions:
    """The predictions of one class that count, sorted by video, then by falling score."""

    tracks: tuple[PredictedTrack, ...]
    ranks: Int[np.ndarray, " N"]  # 0 for the best prediction of its video


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMatches:
    """Matching of one video and class; predictions sorted by falling score."""

    video_id: int
    predictions: tuple[PredictedTrack, ...]
    objects: tuple[GroundTruthTrack, ...]  # in the order of the file
    ious: Float[np.ndarray, "D G"]
    matches: Int[np.ndarray, "L T D"]  # position in `objects`, -1 for none
    correct: Bool[np.ndarray, "L T D"]
    ignored: Bool[np.ndarray, "L T D"]
    ignored_objects: Bool[np.ndarray, "L G"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedClass:
    """Matches of one class, before precision is averaged; `videos` are those with objects."""

    verdicts: Verdicts
    videos: tuple[VideoMatches, ...]


def rank_predictions(predictions: Sequence[PredictedTrack]) -> RankedPredictions:
    """Select the 100 best predictions of each video; ties keep the given order."""
    videos = np.asarray([track.video_id for track in predictions], dtype=np.int64)
    scores = np.asarray([track.score for track in predictions], dtype=np.float64)
    order = np.lexsort((-scores, videos))  # stable
    ranks = np.arange(len(order)) - np.searchsorted(videos[order], videos[order])
    kept = ranks < MAX_PREDICTIONS[-1]
    return RankedPredictions(tracks=tuple(predictions[n] for n in order[kept]), ranks=ranks[kept])


def match_class(
    objects: Mapping[int, Sequence[GroundTruthTrack]],
    predictions: RankedPredictions,
    *,
    rules: EvaluatorRules,
) -> MatchedClass:
    """Match every video that has objects of the class; in other videos no prediction is correct.

    Args:
        objects: objects of the class, by video.
        predictions: predictions of the class.
        rules: rules of the evaluator.
    """
    tracks = predictions.tracks
    outside = predictions_outside(tracks, rules=rules)
    ignored = np.repeat(outside[:, None, :], len(IOU_THRESHOLDS), axis=1)
    correct = np.zeros(ignored.shape, dtype=bool)
    num_objects = np.zeros(len(rules.ranges), dtype=np.int64)
    video_ids = np.asarray([track.video_id for track in tracks], dtype=np.int64)
    videos = []
    for video_id in sorted(objects):
        own = slice(*np.searchsorted(video_ids, [video_id, video_id + 1]))
        video = _match_video(
            video_id, tracks[own], objects=objects[video_id], outside=outside[:, own], rules=rules
        )
        correct[:, :, own], ignored[:, :, own] = video.correct, video.ignored
        num_objects += (~video.ignored_objects).sum(axis=1)
        videos.append(video)
    verdicts = Verdicts(
        scores=np.asarray([track.score for track in tracks], dtype=np.float64),
        ranks=predictions.ranks,
        correct=correct,
        ignored=ignored,
        num_objects=num_objects,
    )
    return MatchedClass(verdicts=verdicts, videos=tuple(videos))


def _match_video(
    video_id: int,
    predictions: Sequence[PredictedTrack],
    *,
    objects: Sequence[GroundTruthTrack],
    outside: Bool[np.ndarray, "L D"],
    rules: EvaluatorRules,
) -> VideoMatches:
    ious = track_ious([track.masks for track in predictions], [track.masks for track in objects])
    ignored_objects = objects_outside(objects, rules=rules)
    reusable = np.asarray([rules.reuse_all or track.is_crowd for track in objects], dtype=bool)
    matches = match_tracks(ious, ignored=ignored_objects, reusable=reusable, thresholds=_THRESHOLDS)
    may_match = np.asarray(
        [track.annotation_id != 0 or not rules.zero_id_never_matches for track in objects], dtype=bool
    )
    found = matches >= 0
    correct = found & may_match[matches]
    found_ignored = found & ignored_objects[np.arange(len(rules.ranges))[:, None, None], matches]
    return VideoMatches(
        video_id=video_id,
        predictions=tuple(predictions),
        objects=tuple(objects),
        ious=ious,
        matches=matches,
        correct=correct,
        ignored=found_ignored | (~correct & outside[:, None, :]),
        ignored_objects=ignored_objects,
    )
