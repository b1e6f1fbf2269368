"""All reported metrics of a data set, from ground truth and results in the YouTube-VIS format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ovvis_cli.choices import DataSetName
from ovvis_cli.data.splits import category_splits
from ovvis_cli.data.tracks import GroundTruth, PredictedTrack
from ovvis_cli.evaluation.metrics import Metrics, num_classes_with_objects, track_metrics
from ovvis_cli.evaluation.objects import object_metrics, object_outcomes
from ovvis_cli.evaluation.rules import RULES, EvaluatorRules, RulesName
from ovvis_cli.evaluation.ytvis import TrackEvaluation, evaluate_tracks

ALL: Final = "all"

_RULES: Final[Mapping[DataSetName, RulesName]] = {
    "ytvis2019": "ytvis",
    "ytvis2021": "ytvis",
    "ytvis2022": "ytvis",
    "ovis": "ovis",
    "lvvis": "lvvis",
    "uvo": "uvo",
    "burst": "burst-papers",
    "diorama": "ytvis",
}
_UVO_BY_CLASS: Final = replace(
    RULES["ytvis"], official_name="YouTube-VIS API on UVO, labels counted (plain AP of OpenVIS)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryScores:
    """Metrics of one category that has objects."""

    category_id: int
    name: str
    num_objects: int
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSection:
    """Metrics of one evaluator, for "all" categories and for each split, as fractions."""

    name: str  # in metrics.json
    evaluator: str
    groups: Mapping[str, Metrics]
    categories: tuple[CategoryScores, ...] = ()


def score_tracks(
    ground_truth: GroundTruth,
    predictions: Sequence[PredictedTrack],
    *,
    data_set: DataSetName | None,
    on_class: Callable[[int], None] = lambda done: None,
) -> tuple[ScoreSection, ...]:
    """Compute the official metrics, and corrected ones if the official evaluator has clear faults.

    Without `data_set`, the rules of YouTube-VIS apply.
    """
    rules = rules_of(data_set, ground_truth)
    splits = category_splits(data_set, ground_truth.categories.values()) if rules.by_category else {}
    evaluation = evaluate_tracks(ground_truth, predictions, rules=rules, on_class=on_class)
    sections = [_section("official", evaluation, splits=splits, ground_truth=ground_truth)]
    if data_set == "diorama":
        sections = [_with_objects(sections[0], ground_truth, predictions, splits=splits)]
    if data_set == "uvo":
        by_class = evaluate_tracks(ground_truth, predictions, rules=_UVO_BY_CLASS)
        sections.append(_section("by_class", by_class, splits={}, ground_truth=ground_truth))
    sound = _sound_rules(rules, ground_truth)
    if sound is not None:
        evaluation = evaluate_tracks(ground_truth, predictions, rules=sound)
        sections.append(_section("sound", evaluation, splits=splits, ground_truth=ground_truth))
    return tuple(sections)


def rules_of(data_set: DataSetName | None, ground_truth: GroundTruth) -> EvaluatorRules:
    """Return the rules of the official evaluator, without occlusion ranges if the file has no occlusion."""
    rules = RULES["ytvis" if data_set is None else _RULES[data_set]]
    if rules.name == "ovis" and any(track.occlusions is None for track in ground_truth.tracks):
        return replace(rules, ranges=RULES["ytvis"].ranges)
    return rules


def _sound_rules(rules: EvaluatorRules, ground_truth: GroundTruth) -> EvaluatorRules | None:
    """Return rules without the faults (objects matched twice, annotation id 0), or None if none applies."""
    has_crowds = any(track.is_crowd for track in ground_truth.tracks)
    has_id_zero = any(track.annotation_id == 0 for track in ground_truth.tracks)
    found_twice = rules.reuse_all or (has_crowds and not rules.ignore_crowds)
    if not (found_twice or has_id_zero):
        return None
    return replace(
        rules,
        official_name="sound: each object found once, whatever its id; crowds ignored",
        areas="file",
        ignore_crowds=True,
        reuse_all=False,
        zero_id_never_matches=False,
    )


def _section(
    name: str,
    evaluation: TrackEvaluation,
    *,
    splits: Mapping[str, frozenset[int]],
    ground_truth: GroundTruth,
) -> ScoreSection:
    groups = {ALL: _metrics(evaluation)}
    for split, category_ids in splits.items():
        groups[split] = _metrics(evaluation, chosen=category_ids.__contains__)
    return ScoreSection(
        name=name,
        evaluator=evaluation.rules.official_name,
        groups=groups,
        categories=_categories(evaluation, ground_truth) if evaluation.rules.by_category else (),
    )


def _metrics(
    evaluation: TrackEvaluation, *, chosen: Callable[[int], bool] = lambda category_id: True
) -> dict[str, float | None]:
    metrics = track_metrics(evaluation, chosen=chosen)
    if evaluation.rules.by_category:
        metrics["num_classes"] = num_classes_with_objects(evaluation, chosen=chosen)
    return metrics


def _categories(evaluation: TrackEvaluation, ground_truth: GroundTruth) -> tuple[CategoryScores, ...]:
    return tuple(
        CategoryScores(
            category_id=result.category_id,
            name=ground_truth.categories[result.category_id].name,
            num_objects=result.num_objects,
            metrics=track_metrics(evaluation, chosen=result.category_id.__eq__),
        )
        for result in evaluation.classes
        if result.num_objects > 0
    )


def _with_objects(
    section: ScoreSection,
    ground_truth: GroundTruth,
    predictions: Sequence[PredictedTrack],
    *,
    splits: Mapping[str, frozenset[int]],
) -> ScoreSection:
    """Add class-agnostic recall, identity switches and label accuracy to the section."""
    outcomes = object_outcomes(ground_truth, predictions)
    known = frozenset(ground_truth.categories)
    groups = {
        name: {**metrics, **object_metrics(outcomes, chosen=splits.get(name, known).__contains__)}
        for name, metrics in section.groups.items()
    }
    return replace(section, groups=groups)
