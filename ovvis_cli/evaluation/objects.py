"""Class-agnostic figures that AP does not show: recall whatever the label, identity switches, label accuracy.

A results file has an entry per label of a track; entries of one video with the same masks are one track.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Int
from scipy.optimize import linear_sum_assignment

from ovvis_cli.data.tracks import GroundTruth, GroundTruthTrack, MaskTrack, PredictedTrack
from ovvis_cli.evaluation.overlap import frame_ious, track_ious
from ovvis_cli.evaluation.rules import RULES
from ovvis_cli.evaluation.ytvis import evaluate_tracks

_MATCH_IOU: Final = 0.5
_MAX_PREDICTIONS: Final = 10
_KEEPING: Final = 1000.0  # preference for the track that an object had before, larger than any sum of IoUs


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOutcome:
    """Evaluation of one annotated object."""

    category_id: int
    recall: float  # fraction of the ten IoU thresholds at which one of the best 10 tracks found it
    is_labelled_right: bool | None  # best label of the track that covers it; None without such a track
    num_switches: int  # changes of its track between frames in which it is matched
    num_chances: int  # number of such pairs of frames


def distinct_tracks(predictions: Sequence[PredictedTrack]) -> tuple[PredictedTrack, ...]:
    """Return each track once, with its best label, in the order of the file."""
    best: dict[tuple[int, bytes, bytes], PredictedTrack] = {}
    for track in predictions:
        key = (track.video_id, track.masks.starts.tobytes(), track.masks.ends.tobytes())
        if key not in best or track.score > best[key].score:
            best[key] = track
    return tuple(sorted(best.values(), key=lambda track: track.entry))


def object_outcomes(
    ground_truth: GroundTruth, predictions: Sequence[PredictedTrack]
) -> tuple[ObjectOutcome, ...]:
    """Evaluate every object that is not a crowd, by video."""
    tracks = distinct_tracks(predictions)
    evaluation = evaluate_tracks(ground_truth, tracks, rules=RULES["uvo"])
    outcomes: list[ObjectOutcome] = []
    for result in evaluation.classes:
        for video in result.videos:
            found = _found(video.matches[0, :, :_MAX_PREDICTIONS], num_objects=len(video.objects))
            kept = [g for g, track in enumerate(video.objects) if not track.is_crowd]
            outcomes += _outcomes(
                [video.objects[g] for g in kept], video.predictions, recalls=found.mean(axis=0)[kept].tolist()
            )
    return tuple(outcomes)


def object_metrics(
    outcomes: Sequence[ObjectOutcome], *, chosen: Callable[[int], bool] = lambda category_id: True
) -> dict[str, float | None]:
    """Return the figures over the objects of the chosen categories; None where there is nothing to measure.

    Switches and chances are counts, the others fractions.
    """
    own = [outcome for outcome in outcomes if chosen(outcome.category_id)]
    labelled = [outcome.is_labelled_right for outcome in own if outcome.is_labelled_right is not None]
    chances = sum(outcome.num_chances for outcome in own)
    switches = sum(outcome.num_switches for outcome in own)
    return {
        "AR10_class_agnostic": _share(sum(outcome.recall for outcome in own), len(own)),
        "label_accuracy": _share(sum(labelled), len(labelled)),
        "num_matched_objects": len(labelled),
        "num_objects": len(own),
        "identity_switches": switches,
        "identity_chances": chances,
        "identity_switch_rate": _share(switches, chances),
    }


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _found(matches: Int[np.ndarray, "T D"], *, num_objects: int) -> Bool[np.ndarray, "T G"]:
    return np.asarray((matches[:, :, None] == np.arange(num_objects)).any(axis=1))


def _outcomes(
    objects: Sequence[GroundTruthTrack], predicted: Sequence[PredictedTrack], *, recalls: Sequence[float]
) -> list[ObjectOutcome]:
    masks = [track.masks for track in predicted]
    own_masks = [track.masks for track in objects]
    labels = _labels(objects, predicted, covering=covering_tracks(masks, own_masks))
    switches = _switches(masks, own_masks)
    return [
        ObjectOutcome(
            category_id=track.category_id,
            recall=recalls[g],
            is_labelled_right=labels.get(g),
            num_switches=switches[g][0],
            num_chances=switches[g][1],
        )
        for g, track in enumerate(objects)
    ]


def covering_tracks(predicted: Sequence[MaskTrack], annotated: Sequence[MaskTrack]) -> Mapping[int, int]:
    """Return the track that covers each object: one to one, IoU of at least 0.5, largest sum of IoUs."""
    ious = track_ious(predicted, annotated)
    ious[ious < _MATCH_IOU] = 0.0
    rows, columns = linear_sum_assignment(-ious)
    return {int(g): int(d) for d, g in zip(rows, columns, strict=True) if ious[d, g] > 0}


def _labels(
    objects: Sequence[GroundTruthTrack],
    predicted: Sequence[PredictedTrack],
    *,
    covering: Mapping[int, int],
) -> dict[int, bool]:
    return {g: predicted[d].category_id == objects[g].category_id for g, d in covering.items()}


def _switches(predicted: Sequence[MaskTrack], annotated: Sequence[MaskTrack]) -> list[tuple[int, int]]:
    """Return the number of switches and of chances of each object.

    As in CLEAR MOT: in each frame tracks and objects are matched one to one if their masks overlap by at
    least 0.5. An object keeps the track of its last matched frame while that still overlaps; otherwise the
    sum of overlaps decides.
    """
    num_frames = max((len(track.frame_areas) for track in annotated), default=0)
    ious = frame_ious(predicted, annotated, num_frames=num_frames)
    last: dict[int, int] = {}
    switches, chances = np.zeros(len(annotated), dtype=int), np.zeros(len(annotated), dtype=int)
    for overlap in ious:
        weights = np.where(overlap >= _MATCH_IOU, overlap, 0.0)
        for g, d in last.items():
            weights[d, g] += _KEEPING * (weights[d, g] > 0)
        for d, g in zip(*linear_sum_assignment(-weights), strict=True):
            if weights[d, g] > 0:
                chances[g] += g in last
                switches[g] += last.get(g, d) != d
                last[g] = d
    return list(zip(switches.tolist(), chances.tolist(), strict=True))
