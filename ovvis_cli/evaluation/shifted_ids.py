"""Detection of results whose category ids are all off by one, which gives an AP near 0 with valid ids."""

import logging
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from ovvis_cli.data.tracks import GroundTruth, PredictedTrack
from ovvis_cli.evaluation.objects import covering_tracks, distinct_tracks

logger = logging.getLogger(__name__)

_SUSPICIOUS_AP: Final = (
    0.05  # above this AP nothing is checked, because the check computes the overlap of all tracks
)
_MAX_VIDEOS: Final = 50
_MIN_OBJECTS: Final = 2
_MIN_SHARE: Final = 0.5


def warn_shifted_categories(
    ground_truth: GroundTruth, predictions: Sequence[PredictedTrack], *, ap: float | None, path: Path
) -> None:
    """Warn if most objects are found under a neighboring category id.

    Args:
        ground_truth: annotated tracks.
        predictions: tracks of the results file.
        ap: average precision over all categories; the check runs only if it is near 0.
        path: path of the results file.
    """
    if ap is None or ap > _SUSPICIOUS_AP:
        return
    shifts = _shifts(ground_truth, predictions)
    num_found = shifts.total()
    for shift in (-1, 1):
        if shifts[shift] >= max(_MIN_OBJECTS, _MIN_SHARE * num_found) and shifts[shift] > shifts[0]:
            logger.warning(
                "%s: of %d objects that a track covers, %d have a category_id that is 1 too %s:"
                " the ids look shifted by one",
                path,
                num_found,
                shifts[shift],
                "low" if shift < 0 else "high",
            )


def _shifts(ground_truth: GroundTruth, predictions: Sequence[PredictedTrack]) -> Counter[int]:
    """Count the differences between predicted and true ids of covered objects, in the first videos."""
    shifts: Counter[int] = Counter()
    for video_id in islice(ground_truth.videos, _MAX_VIDEOS):
        objects = [track for track in ground_truth.tracks if track.video_id == video_id]
        tracks = distinct_tracks([track for track in predictions if track.video_id == video_id])
        if not objects or not tracks:
            continue
        covering = covering_tracks([track.masks for track in tracks], [track.masks for track in objects])
        shifts.update(tracks[d].category_id - objects[g].category_id for g, d in covering.items())
    return shifts
