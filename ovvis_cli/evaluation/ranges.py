"""Ranges of size and occlusion: which objects and predictions belong to each."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool

from ovvis_cli.data.tracks import GroundTruthTrack, PredictedTrack
from ovvis_cli.evaluation.rules import EvaluatorRules, ObjectRange

_OCCLUSION_SCORES: Final = {"no_occlusion": 0.0, "slight_occlusion": 0.25, "severe_occlusion": 0.75}


def objects_outside(objects: Sequence[GroundTruthTrack], *, rules: EvaluatorRules) -> Bool[np.ndarray, "L G"]:
    """Return the objects that each range ignores: crowds always, others by size or occlusion."""
    outside = np.zeros((len(rules.ranges), len(objects)), dtype=bool)
    for g, track in enumerate(objects):
        crowd = track.is_crowd and rules.ignore_crowds
        area = annotated_area(track, rules=rules)
        for lane, part in enumerate(rules.ranges):
            outside[lane, g] = crowd or not _is_inside(track, part=part, area=area)
    return outside


def predictions_outside(
    predictions: Sequence[PredictedTrack], *, rules: EvaluatorRules
) -> Bool[np.ndarray, "L D"]:
    """Return the predictions that each range ignores if they find nothing: by size, never by occlusion."""
    areas = np.asarray([predicted_area(track, rules=rules) for track in predictions], dtype=np.float64)
    limits = np.asarray([part.area for part in rules.ranges])
    return (areas < limits[:, :1]) | (areas > limits[:, 1:])


def annotated_area(track: GroundTruthTrack, *, rules: EvaluatorRules) -> float:
    """Return the mean area [px^2] of an object over its visible frames, as given in the annotation file."""
    if rules.areas == "none" or not track.areas.size:
        return 0.0
    if rules.areas == "file":
        return float(track.areas.mean())
    whole = np.trunc(track.areas)
    return float(whole[whole > 0].mean()) if (whole > 0).any() else 0.0


def predicted_area(track: PredictedTrack, *, rules: EvaluatorRules) -> float:
    """Return the mean area [px^2] of a prediction over the frames where it has a mask."""
    return 0.0 if rules.areas == "none" else track.masks.mean_area


def occlusion_score(track: GroundTruthTrack) -> float | None:
    """Return the mean of the larger half of an object's occlusion levels, [0, 1]; None without any."""
    scores = sorted(_OCCLUSION_SCORES[level] for level in track.occlusions or () if level is not None)
    upper = scores[len(scores) // 2 :]
    return sum(upper) / len(upper) if upper else None


def _is_inside(track: GroundTruthTrack, *, part: ObjectRange, area: float) -> bool:
    if part.occlusion is not None:
        score = occlusion_score(track)
        if score is None or not part.occlusion[0] <= score <= part.occlusion[1]:
            return False
    return part.area[0] <= area <= part.area[1]
