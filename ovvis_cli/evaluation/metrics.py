"""Metrics that papers report: means of the results per class, over all classes or over a split."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from jaxtyping import Float

from ovvis_cli.evaluation.rules import IOU_THRESHOLDS, MAX_PREDICTIONS
from ovvis_cli.evaluation.ytvis import ClassResult, TrackEvaluation

Metrics: TypeAlias = Mapping[str, float | None]
"""Metrics by name, as fractions; None where there is nothing to measure (official code prints -1)."""

_EVERY: Final = slice(None)
_LAST: Final = len(MAX_PREDICTIONS) - 1
_BY_THRESHOLD: Final = {"AP50": IOU_THRESHOLDS.index(0.5), "AP75": 5}


def track_metrics(
    evaluation: TrackEvaluation, *, chosen: Callable[[int], bool] = lambda category_id: True
) -> dict[str, float | None]:
    """Return AP, AP50, AP75, AR1, AR10, AR100, and AP and AR of each range, over the chosen categories.

    Only classes with objects count; all have the same weight.
    """
    classes = [result for result in evaluation.classes if chosen(result.category_id)]
    metrics = {"AP": _mean(classes, _precision(_EVERY))}
    for name, step in _BY_THRESHOLD.items():
        metrics[name] = _mean(classes, _precision(step))
    parts = list(enumerate(evaluation.rules.ranges))[1:]
    for lane, part in parts:
        metrics[f"AP{part.suffix}"] = _mean(classes, _precision(_EVERY, lane=lane))
    for limit, max_predictions in enumerate(MAX_PREDICTIONS):
        metrics[f"AR{max_predictions}"] = _mean(classes, _recall(limit))
    for lane, part in parts:
        metrics[f"AR{part.suffix}"] = _mean(classes, _recall(_LAST, lane=lane))
    return metrics


def num_classes_with_objects(
    evaluation: TrackEvaluation, *, chosen: Callable[[int], bool] = lambda category_id: True
) -> int:
    """Return the number of chosen categories that a mean is taken over."""
    return sum(result.num_objects > 0 for result in evaluation.classes if chosen(result.category_id))


_Figures: TypeAlias = Callable[[ClassResult], Float[np.ndarray, "*steps"]]


def _precision(step: int | slice, *, lane: int = 0) -> _Figures:
    return lambda result: np.atleast_1d(result.average_precision[lane, step])


def _recall(limit: int, *, lane: int = 0) -> _Figures:
    return lambda result: result.recall[lane, :, limit]


def _mean(classes: Sequence[ClassResult], figures: _Figures) -> float | None:
    values = np.concatenate([figures(result) for result in classes]) if classes else np.zeros(0)
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else None
