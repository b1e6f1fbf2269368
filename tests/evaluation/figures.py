"""Our figures in the shape of the `expected.json` files, so that both can be walked side by side."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ovvis_cli.data.documents import read_json
from ovvis_cli.data.ground_truth import parse_ground_truth
from ovvis_cli.data.results import parse_results
from ovvis_cli.data.splits import category_splits
from ovvis_cli.data.tracks import GroundTruth, PredictedTrack
from ovvis_cli.evaluation.metrics import num_classes_with_objects, track_metrics
from ovvis_cli.evaluation.rules import IOU_THRESHOLDS, MAX_PREDICTIONS, RULES, EvaluatorRules, RulesName
from ovvis_cli.evaluation.ytvis import ClassResult, TrackEvaluation, evaluate_tracks

Figures = dict[str, Any]

_RULES_OF_EVALUATOR: Mapping[str, RulesName] = {
    "youtube_vis": "ytvis",
    "uvo_script": "uvo",
    "youtube_vis_useCats_0": "class-agnostic",
    "lvvis": "lvvis",
    "burst_papers": "burst-papers",
    "ovis": "ovis",
}
_SPLITS_OF_EVALUATOR = {"lvvis": "lvvis", "burst_papers": "burst"}


def dataset_figures(folder: Path, *, fixture: str) -> Figures:
    """The figures of a data set folder of the YouTube-VIS family."""
    ground_truth, predictions = read_pair(folder)
    figures: Figures = {"size": size_figures(ground_truth, predictions)}
    rules = RULES[{"ovis": "ovis", "lvvis": "lvvis", "uvo": "uvo"}.get(fixture, "ytvis")]
    splits = category_splits("lvvis", ground_truth.categories.values()) if fixture == "lvvis" else {}
    evaluation = evaluate_tracks(ground_truth, predictions, rules=rules)
    figures["result"] = evaluation_figures(evaluation, ground_truth, splits=splits)
    figures["evaluator"] = {"settings": settings_figures(rules, named_ranges=True)}
    by_youtube = track_metrics(evaluate_tracks(ground_truth, predictions, rules=RULES["ytvis"]))
    agnostic = track_metrics(evaluate_tracks(ground_truth, predictions, rules=RULES["class-agnostic"]))
    figures["youtube_vis_evaluator_on_the_same_files"] = {"metrics": by_youtube}
    figures["class_agnostic_useCats_0"] = {"metrics": agnostic}
    figures["useCats_0_without_relabelling"] = {"metrics": agnostic}
    if fixture in ("ytvis2019", "ytvis2021"):
        figures["base_novel_as_in_the_papers"] = _papers_splits(
            evaluation, ground_truth, predictions, fixture
        )
    if fixture == "uvo":
        figures["result"]["official_script_output"] = _uvo_script(figures["result"]["metrics"])
    return figures


def quirk_figures(ground_truth: object, predictions: object, *, evaluators: Sequence[str]) -> Figures:
    """The figures of all evaluators, from documents that may have mistakes which the official code reads."""
    path = Path("case")
    truth = parse_ground_truth(ground_truth, path=path, lenient=True)
    tracks = parse_results(predictions, path=path, videos=truth.videos, lenient=True)
    figures: Figures = {}
    for name in evaluators:
        evaluation = evaluate_tracks(truth, tracks, rules=RULES[_RULES_OF_EVALUATOR[name]])
        metrics: Figures = dict(track_metrics(evaluation))
        splits = category_splits(_SPLITS_OF_EVALUATOR.get(name), truth.categories.values())
        for split, category_ids in splits.items():
            metrics[f"AP_{split}"] = track_metrics(evaluation, chosen=category_ids.__contains__)["AP"]
        figures[name] = metrics
    return {"metrics_per_evaluator": figures}


def evaluation_figures(
    evaluation: TrackEvaluation,
    ground_truth: GroundTruth,
    *,
    splits: Mapping[str, frozenset[int]],
) -> Figures:
    """All that the official code says of one evaluation."""
    metrics = track_metrics(evaluation)
    groups = {"all": metrics} | {
        name: track_metrics(evaluation, chosen=category_ids.__contains__)
        for name, category_ids in splits.items()
    }
    order = [name for name in ("all", "base", "novel", "common", "uncommon") if name in groups]
    return {
        "metrics": metrics,
        "metrics_by_split": groups,
        "per_category": [
            _category(result, evaluation, ground_truth)
            for result in evaluation.classes
            if result.num_objects > 0
        ],
        "counts_per_category_gt_gtIgnored_dtKept": {
            str(result.category_id): [result.num_objects, result.num_ignored_objects, result.num_predictions]
            for result in evaluation.classes
        },
        "settings": settings_figures(evaluation.rules, named_ranges=False),
        "printed_lines": [groups[group][name] for name in metrics for group in order],
    }


def match_details(evaluation: TrackEvaluation) -> list[Figures]:
    """What `details.json` has of each video and class with objects, for the range of all."""
    details = []
    for result in evaluation.classes:
        for video in result.videos:
            ids = np.asarray([track.annotation_id for track in video.objects])
            ignored = video.ignored_objects[0]
            ignored_last = np.argsort(ignored, kind="stable")
            matches = video.matches[0].T
            details.append(
                {
                    "video_id": video.video_id,
                    "category_id": result.category_id,
                    "dt_index": [track.entry for track in video.predictions],
                    "dt_score": [track.score for track in video.predictions],
                    "gt_id_file_order": ids.tolist(),
                    "gt_id_ignored_last": ids[ignored_last].tolist(),
                    "gt_ignored": ignored[ignored_last].astype(int).tolist(),
                    "iou_dt_by_gt_file_order": video.ious.tolist(),
                    "matched_gt_id_per_iou": np.where(matches >= 0, ids[matches], 0).tolist(),
                    "dt_ignored_per_iou": video.ignored[0].T.astype(int).tolist(),
                }
            )
    return details


def read_pair(folder: Path) -> tuple[GroundTruth, tuple[PredictedTrack, ...]]:
    """Ground truth and predictions of a folder."""
    truth = parse_ground_truth(read_json(folder / "ground_truth.json"), path=folder / "ground_truth.json")
    path = folder / "predictions.json"
    return truth, parse_results(read_json(path), path=path, videos=truth.videos)


def size_figures(ground_truth: GroundTruth, predictions: Sequence[PredictedTrack]) -> Figures:
    """How many there are of everything."""
    return {
        "videos": len(ground_truth.videos),
        "ground_truth_tracks": len(ground_truth.tracks),
        "predictions": len(predictions),
    }


def settings_figures(rules: EvaluatorRules, *, named_ranges: bool) -> Figures:
    """Thresholds, limits and ranges."""
    areas = [list(part.area) for part in rules.ranges if part.occlusion is None]
    occlusions = [[0.0, 1.0], *(list(part.occlusion) for part in rules.ranges if part.occlusion is not None)]
    settings: Figures = {"iouThrs": list(IOU_THRESHOLDS), "maxDets": list(MAX_PREDICTIONS)}
    if not named_ranges:
        return settings | {"areaRng": areas, "occRng": occlusions}
    settings["areaRng"] = dict(zip(("all", "small", "medium", "large"), areas, strict=True))
    if len(occlusions) > 1:
        settings["occRng"] = dict(zip(("all", "light", "medium", "heavy"), occlusions, strict=True))
    return settings


def _category(result: ClassResult, evaluation: TrackEvaluation, ground_truth: GroundTruth) -> Figures:
    category = ground_truth.categories.get(result.category_id)
    return {
        "category_id": result.category_id,
        "name": None if category is None else category.name,
        "partition": None if category is None else category.partition,
        **track_metrics(evaluation, chosen=result.category_id.__eq__),
        "AP_per_iou": result.average_precision[0].tolist(),
        "recall_per_iou": result.recall[0, :, -1].tolist(),
        "num_gt_not_ignored": result.num_objects,
        "num_gt_ignored": result.num_ignored_objects,
        "num_dt_kept": result.num_predictions,
    }


def _papers_splits(
    evaluation: TrackEvaluation,
    ground_truth: GroundTruth,
    predictions: Sequence[PredictedTrack],
    fixture: str,
) -> Figures:
    splits = category_splits(
        "ytvis2019" if fixture == "ytvis2019" else "ytvis2021", ground_truth.categories.values()
    )
    figures: Figures = {"novel_ids": sorted(splits["novel"])}
    for name, category_ids in splits.items():
        chosen: Callable[[int], bool] = category_ids.__contains__
        uploaded = [track for track in predictions if track.category_id in category_ids]
        server = track_metrics(evaluate_tracks(ground_truth, uploaded, rules=evaluation.rules))
        figures[name] = {
            "classes_with_ground_truth": num_classes_with_objects(evaluation, chosen=chosen),
            "AP": track_metrics(evaluation, chosen=chosen)["AP"],
            "official_AP_of_the_file_with_only_these_predictions": server["AP"],
        }
    return figures


def _uvo_script(metrics: Figures) -> Figures:
    names = {"AR@100": "AR100", "AP": "AP", "AP.5": "AP50", "AP.75": "AP75", "AR@1": "AR1", "AR@10": "AR10"}
    return {"UVO frame results": {name: metrics[own] for name, own in names.items()}}


def printed_numbers(lines: Sequence[str]) -> list[list[str]]:
    """The figures at the end of each printed line, as texts, so that their digits are known."""
    return [re.findall(r"-?\d+\.\d+", line.split("] =")[-1]) for line in lines]
