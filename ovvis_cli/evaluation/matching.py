"""Matching of predictions to objects in one video: greedy, best score first, as in COCO's evaluator."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

NO_MATCH: Final = -1


def match_tracks(
    ious: Float[np.ndarray, "D G"],
    *,
    ignored: Bool[np.ndarray, "L G"],
    reusable: Bool[np.ndarray, " G"],
    thresholds: Float[np.ndarray, " T"],
    taking: Bool[np.ndarray, " D"] | None = None,
) -> Int[np.ndarray, "L T D"]:
    """Return the object that each prediction finds, or `NO_MATCH`, for each of L ranges and T thresholds.

    Of the free objects with IoU at or above the threshold, a prediction takes the one with the largest IoU;
    of equal ones the later. It takes an ignored object only if no other is left.

    Args:
        ious: predictions sorted by falling score, objects in the order of the file.
        ignored: objects that do not count in a range.
        reusable: objects that may be taken any number of times.
        thresholds: ascending.
        taking: predictions whose match is no longer free for later ones; None: all.
    """
    num_predictions, num_objects = ious.shape
    num_ranges, num_thresholds = ignored.shape[0], len(thresholds)
    matches = np.full((num_ranges, num_thresholds, num_predictions), NO_MATCH, dtype=np.int64)
    if num_objects == 0:
        return matches
    free = np.ones((num_ranges, num_thresholds, num_objects), dtype=bool)
    counted = ~ignored[:, None, :]
    for d in np.flatnonzero(ious.max(axis=1) >= thresholds[0]):
        fits = free & (ious[d] >= thresholds[:, None])
        counted_fits = fits & counted
        choice = np.where(counted_fits.any(axis=2, keepdims=True), counted_fits, fits)
        from_end = np.where(choice, ious[d], -1.0)[:, :, ::-1].argmax(axis=2)
        best = num_objects - 1 - from_end
        found = choice.any(axis=2)
        matches[:, :, d] = np.where(found, best, NO_MATCH)
        if taking is None or taking[d]:
            lane, step = np.nonzero(found & ~reusable[best])
            free[lane, step, best[lane, step]] = False
    return matches
