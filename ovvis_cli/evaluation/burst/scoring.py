"""BURST's figures as the benchmark and the papers report them: all, common and uncommon classes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from ovvis_cli.data.burst import BurstFile
from ovvis_cli.evaluation.burst.evaluator import BurstClass, evaluate_burst, evaluate_open_world
from ovvis_cli.evaluation.metrics import Metrics
from ovvis_cli.evaluation.scoring import ALL, ScoreSection

_AP50, _AP75 = 0, 5

_FIGURES: Final[Mapping[str, Callable[[BurstClass], float]]] = {
    "HOTA": lambda result: float(result.hota.hota.mean()),
    "DetA": lambda result: float(result.hota.detection.mean()),
    "AssA": lambda result: float(result.hota.association.mean()),
    "AP": lambda result: float(result.track_map.average_precision[0].mean()),
    "AP50": lambda result: float(result.track_map.average_precision[0, _AP50]),
    "AP75": lambda result: float(result.track_map.average_precision[0, _AP75]),
}


def score_burst(
    ground_truth: BurstFile,
    results: BurstFile,
    *,
    on_class: Callable[[int], None] = lambda done: None,
) -> tuple[ScoreSection, ...]:
    """Compute the official class-guided figures, the same by masks, and the open-world figures."""
    official = evaluate_burst(ground_truth, results, on_class=on_class)
    by_masks = evaluate_burst(ground_truth, results, similarity="masks")
    return (
        ScoreSection(
            name="official",
            evaluator="BURST official, class-guided (HOTA compares boxes)",
            groups=burst_groups(official),
        ),
        ScoreSection(
            name="sound_hota",
            evaluator="the same with masks compared, as the paper describes it",
            groups=burst_groups(by_masks),
        ),
        ScoreSection(
            name="official_open_world",
            evaluator="BURST official, open world: labels do not count",
            groups=_open_world(ground_truth, results),
        ),
    )


def burst_groups(classes: Sequence[BurstClass]) -> dict[str, Metrics]:
    """Return the means over all, common and uncommon classes; None for no class."""
    common = [result for result in classes if result.is_common]
    uncommon = [result for result in classes if not result.is_common]
    return {ALL: _means(classes), "common": _means(common), "uncommon": _means(uncommon)}


def _means(classes: Sequence[BurstClass]) -> dict[str, float | None]:
    means: dict[str, float | None] = {
        name: float(np.mean([figure(result) for result in classes])) if classes else None
        for name, figure in _FIGURES.items()
    }
    return {**means, "num_classes": len(classes)}


def _open_world(ground_truth: BurstFile, results: BurstFile) -> dict[str, Metrics]:
    groups: dict[str, Metrics] = {}
    for subset in ("all", "common", "uncommon"):
        hota = evaluate_open_world(ground_truth, results, subset=subset)
        seen = hota.true_positives[0] + hota.false_negatives[0] > 0
        groups[subset] = {
            "OWTA": float(hota.open_world.mean()) if seen else None,
            "DetRe": float(hota.detection_recall.mean()) if seen else None,
            "AssA": float(hota.association.mean()) if seen else None,
        }
    return groups
