"""BURST's track AP: unlike YouTube-VIS's it is federated, with other ranges and no limit on tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from ovvis_cli.data.burst import BurstTrack
from ovvis_cli.evaluation.matching import match_tracks
from ovvis_cli.evaluation.overlap import track_ious
from ovvis_cli.evaluation.precision import Verdicts, precision_recall

THRESHOLDS: Final = tuple(float(value) for value in np.arange(0.5, 0.96, 0.05))

_EPSILON: Final = float(np.finfo("float").eps)
_ENDLESS: Final = (0.0, 1e10)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRange:
    """A subset of the tracks, by mean area [px^2] and number of frames, ends included."""

    name: str
    area: tuple[float, float] = _ENDLESS
    length: tuple[float, float] = _ENDLESS


RANGES: Final = (
    TrackRange(name="all"),
    TrackRange(name="area_s", area=(0.0, 32.0**2)),
    TrackRange(name="area_m", area=(32.0**2, 96.0**2)),
    TrackRange(name="area_l", area=(96.0**2, 1e10)),
    TrackRange(name="time_s", length=(0.0, 3.0)),
    TrackRange(name="time_m", length=(3.0, 10.0)),
    TrackRange(name="time_l", length=(10.0, 1e5)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackMatches:
    """Matching of one class in one sequence; predictions sorted by falling score."""

    scores: Float[np.ndarray, " D"]
    correct: Bool[np.ndarray, "L T D"]
    ignored: Bool[np.ndarray, "L T D"]
    counted_objects: Bool[np.ndarray, "L G"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackMap:
    """AP and recall of one class for each range and threshold; NaN without objects."""

    average_precision: Float[np.ndarray, "L T"]
    recall: Float[np.ndarray, "L T"]


def match_sequence(
    annotated: Sequence[BurstTrack],
    predicted: Sequence[BurstTrack],
    *,
    is_not_exhaustive: bool,
) -> TrackMatches:
    """Match one class in one sequence.

    A prediction with track id 0 does not occupy its match: the official code tests for partners above 0.
    """
    scores = np.asarray([track.scores[track.is_listed].mean() for track in predicted], dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    ranked = [predicted[n] for n in order]
    outside_objects, outside = _outside(annotated), _outside(ranked)
    matches = match_tracks(
        track_ious([track.masks for track in ranked], [track.masks for track in annotated]),
        ignored=outside_objects,
        reusable=np.zeros(len(annotated), dtype=bool),
        thresholds=np.asarray(THRESHOLDS) - _EPSILON,
        taking=np.asarray([track.track_id != 0 for track in ranked], dtype=bool),
    )
    correct = matches >= 0
    ignored = ~correct & (outside[:, None, :] | is_not_exhaustive)
    if annotated:
        ignored |= correct & outside_objects[np.arange(len(RANGES))[:, None, None], matches]
    return TrackMatches(
        scores=scores[order], correct=correct, ignored=ignored, counted_objects=~outside_objects
    )


def class_map(sequences: Sequence[TrackMatches]) -> TrackMap:
    """Compute the AP of one class over sequences in order."""
    scores = np.concatenate([matches.scores for matches in sequences])
    verdicts = Verdicts(
        scores=scores,
        ranks=np.zeros(len(scores), dtype=np.int64),  # no limit on the number of tracks
        correct=np.concatenate([matches.correct for matches in sequences], axis=2),
        ignored=np.concatenate([matches.ignored for matches in sequences], axis=2),
        num_objects=np.sum([matches.counted_objects.sum(axis=1) for matches in sequences], axis=0),
    )
    precision, recall = precision_recall(verdicts, max_predictions=1)
    return TrackMap(average_precision=precision, recall=recall)


def _outside(tracks: Sequence[BurstTrack]) -> Bool[np.ndarray, "L N"]:
    lengths = np.asarray([track.is_listed.sum() for track in tracks], dtype=np.float64)
    areas = np.asarray([track.masks.area for track in tracks], dtype=np.float64) / np.maximum(lengths, 1)
    outside = np.zeros((len(RANGES), len(tracks)), dtype=bool)
    for lane, part in enumerate(RANGES):
        for values, (lowest, highest) in ((areas, part.area), (lengths, part.length)):
            outside[lane] |= (values < lowest - _EPSILON) | (values > highest + _EPSILON)
    return outside
