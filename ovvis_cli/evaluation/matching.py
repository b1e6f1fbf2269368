"""Which prediction finds which object, in one video: greedy, best score first, as COCO's evaluator does."""

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
    """The object that each prediction finds, `NO_MATCH` for none; for each of L ranges and T thresholds.

    A prediction takes, of the objects not yet taken whose IoU is at least the threshold, the one with the
    largest; of equal ones the later. An ignored object is taken only where no other fits.

    Args:
        ious: predictions in falling order of score, objects in the order of the file.
        ignored: objects that do not count in a range.
        reusable: objects that may be taken any number of times.
        thresholds: ascending.
        taking: predictions that take what they find from those after them; None: all.
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
