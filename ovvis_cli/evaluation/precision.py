"""Average precision and recall of one class from the verdicts on its predictions."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ovvis_cli.evaluation.rules import RECALL_POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Verdicts on the N predictions of one class, sorted by video, then by falling score."""

    scores: Float[np.ndarray, " N"]
    ranks: Int[np.ndarray, " N"]  # 0 for the best prediction of its video
    correct: Bool[np.ndarray, "L T N"]  # found an object; meaningless where ignored
    ignored: Bool[np.ndarray, "L T N"]
    num_objects: Int[np.ndarray, " L"]  # counted objects in each range


def precision_recall(
    verdicts: Verdicts, *, max_predictions: int
) -> tuple[Float[np.ndarray, "L T"], Float[np.ndarray, "L T"]]:
    """Return AP (mean precision at 101 recalls) and final recall per range and threshold; NaN without
    objects.

    Only the best `max_predictions` of each video count.
    """
    chosen = np.flatnonzero(verdicts.ranks < max_predictions)
    order = chosen[np.argsort(-verdicts.scores[chosen], kind="stable")]
    counted = ~verdicts.ignored[:, :, order]
    true_positives = np.cumsum(verdicts.correct[:, :, order] & counted, axis=2)
    false_positives = np.cumsum(~verdicts.correct[:, :, order] & counted, axis=2)
    shape = true_positives.shape[:2]
    precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
    for lane in np.flatnonzero(verdicts.num_objects > 0):
        recalls = true_positives[lane] / verdicts.num_objects[lane]
        recall[lane] = recalls[:, -1] if order.size else 0.0
        for step in range(shape[1]):
            precision[lane, step] = _average_precision(
                true_positives[lane, step], false_positives[lane, step], recalls=recalls[step]
            )
    return precision, recall


def _average_precision(
    true_positives: Int[np.ndarray, " N"],
    false_positives: Int[np.ndarray, " N"],
    *,
    recalls: Float[np.ndarray, " N"],
) -> float:
    if not recalls.size:
        return 0.0
    precisions = true_positives / (false_positives + true_positives + np.spacing(1))
    envelope = np.maximum.accumulate(precisions[::-1])[::-1]
    places = np.searchsorted(recalls, RECALL_POINTS, side="left")
    reached = places < len(recalls)
    return float(envelope[places[reached]].sum() / len(RECALL_POINTS))
