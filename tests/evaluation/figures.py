"""Our figures in the shape of the `expected.json` files, so that both can be walked side by side."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ovvis_cli.data.burst import BurstFile, parse_burst, parse_burst_results
from ovvis_cli.data.burst_conversion import to_ground_truth
from ovvis_cli.data.documents import read_json
from ovvis_cli.data.ground_truth import parse_ground_truth
from ovvis_cli.data.results import parse_results
from ovvis_cli.data.splits import category_splits
from ovvis_cli.data.tracks import GroundTruth, PredictedTrack
from ovvis_cli.evaluation.burst.evaluator import BurstClass, evaluate_burst, evaluate_open_world
from ovvis_cli.evaluation.burst.hota import Hota, combine
from ovvis_cli.evaluation.burst.scoring import burst_groups
from ovvis_cli.evaluation.burst.track_map import RANGES, TrackMap
from ovvis_cli.evaluation.metrics import num_classes_with_objects, track_metrics
from ovvis_cli.evaluation.rules import IOU_THRESHOLDS, MAX_PREDICTIONS, RULES, EvaluatorRules, RulesName
from ovvis_cli.evaluation.ytvis import ClassResult, TrackEvaluation, evaluate_tracks
from ovvis_cli.vocabulary.categories import load_table

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
    """The figures of one of the six data set folders."""
    if fixture == "burst":
        return _burst_folder(folder)
    ground_truth, predictions = read_pair(folder)
    figures: Figures = {"size": _size(ground_truth, predictions)}
    rules = RULES[{"ovis": "ovis", "lvvis": "lvvis", "uvo": "uvo"}.get(fixture, "ytvis")]
    splits = category_splits("lvvis", ground_truth.categories.values()) if fixture == "lvvis" else {}
    evaluation = evaluate_tracks(ground_truth, predictions, rules=rules)
    figures["result"] = evaluation_figures(evaluation, ground_truth, splits=splits)
    figures["evaluator"] = {"settings": _settings(rules, named_ranges=True)}
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


def burst_figures(ground_truth: object, predictions: object) -> Figures:
    """The official figures of a BURST case."""
    truth = parse_burst(ground_truth, path=Path("case"))
    results = parse_burst_results(predictions, path=Path("case"), ground_truth=truth)
    official = evaluate_burst(truth, results)
    masks = {"table_percent": _burst_table(evaluate_burst(truth, results, similarity="masks"))}
    return {
        "official": {
            "table_percent": _burst_table(official),
            "per_class": {
                _official_name(result): {
                    "id": result.category_id,
                    **{name: float(values.mean()) for name, values in _hota_arrays(result.hota).items()},
                    "AP_all": float(result.track_map.average_precision[0].mean()),
                    "AR_all": float(result.track_map.recall[0].mean()),
                    "Count": _counts(result),
                }
                for result in official
            },
        },
        "variant_hota_with_mask_iou_not_official": masks,
    }


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
        "settings": _settings(evaluation.rules, named_ranges=False),
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


def sequence_details(truth: BurstFile, classes: Sequence[BurstClass]) -> Figures:
    """What `details.json` has of each BURST sequence and class."""
    details: Figures = {}
    for result in classes:
        for name, hota in result.sequences.items():
            half = 9  # alpha = 0.5
            key = f"{truth.split}-{name.replace('/', '-')}"
            details.setdefault(key, {})[_official_name(result)] = {
                "HOTA": float(hota.hota.mean()),
                "DetA": float(hota.detection.mean()),
                "AssA": float(hota.association.mean()),
                "HOTA_TP_at_0.5": hota.true_positives[half],
                "HOTA_FN_at_0.5": hota.false_negatives[half],
                "HOTA_FP_at_0.5": hota.false_positives[half],
            }
    return details


def read_pair(folder: Path) -> tuple[GroundTruth, tuple[PredictedTrack, ...]]:
    """Ground truth and predictions of a folder."""
    truth = parse_ground_truth(read_json(folder / "ground_truth.json"), path=folder / "ground_truth.json")
    path = folder / "predictions.json"
    return truth, parse_results(read_json(path), path=path, videos=truth.videos)


def read_burst_pair(folder: Path) -> tuple[BurstFile, BurstFile]:
    """Annotations and results of a folder in BURST's own format."""
    path, results_path = folder / "ground_truth.json", folder / "predictions_burst.json"
    truth = parse_burst(read_json(path), path=path)
    return truth, parse_burst_results(read_json(results_path), path=results_path, ground_truth=truth)


def _size(ground_truth: GroundTruth, predictions: Sequence[PredictedTrack]) -> Figures:
    return {
        "videos": len(ground_truth.videos),
        "ground_truth_tracks": len(ground_truth.tracks),
        "predictions": len(predictions),
    }


def _settings(rules: EvaluatorRules, *, named_ranges: bool) -> Figures:
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


def _burst_folder(folder: Path) -> Figures:
    truth, results = read_burst_pair(folder)
    official = evaluate_burst(truth, results)
    masks = evaluate_burst(truth, results, similarity="masks")
    converted = to_ground_truth(truth)
    path = folder / "predictions.json"
    predictions = parse_results(read_json(path), path=path, videos=converted.videos)
    splits = category_splits("burst", converted.categories.values())
    papers = evaluate_tracks(converted, predictions, rules=RULES["burst-papers"])
    sound = evaluate_tracks(converted, predictions, rules=RULES["burst-sound"])
    sound_splits = {
        f"AP_{name}": track_metrics(sound, chosen=splits[name].__contains__)["AP"]
        for name in ("common", "uncommon")
    }
    sound_figures = evaluation_figures(sound, converted, splits={})
    return {
        "size": _size(converted, predictions),
        "official": _official(official),
        "openvis": {"result": _openvis(official)},
        "variant_hota_with_mask_iou": _mask_variant(masks),
        "open_world": {"table_percent": _open_world(truth, results)},
        "papers_ap": {
            **evaluation_figures(papers, converted, splits=splits),
            "evaluator": {"settings": _settings(papers.rules, named_ranges=True)},
        },
        "youtube_vis_protocol_on_the_same_files": {**sound_figures, **sound_splits},
    }


def _official(classes: Sequence[BurstClass]) -> Figures:
    table = _burst_table(classes)
    names = [_official_name(result) for result in classes]
    hotas = [result.hota for result in classes]
    maps = _class_averaged_map([result.track_map for result in classes])
    return {
        "table_percent": table,
        "classes_evaluated": [
            {"id": result.category_id, "name_in_tao_categories": name}
            for result, name in zip(classes, names, strict=True)
        ],
        "per_class": {
            name: {
                "id": result.category_id,
                "HOTA": _hota(result.hota),
                "TrackMAP": _track_map(result.track_map),
                "Count": _counts(result),
            }
            for result, name in zip(classes, names, strict=True)
        },
        "class_averaged": {"HOTA": _class_averaged_hota(hotas), "TrackMAP": maps},
        "detection_averaged": {"HOTA": _hota(combine(hotas)), "TrackMAP": maps},
        "evaluator": {
            "settings": {
                "MAX_DETECTIONS_per_frame": 300,
                "area_ranges_AP_area_s_m_l": [list(part.area) for part in RANGES[1:4]],
                "time_ranges_AP_time_s_m_l (track length in annotated frames)": [
                    list(part.length) for part in RANGES[4:]
                ],
            }
        },
        "printed_lines": [value for row in table.values() for value in row.values()],
    }


def _burst_table(classes: Sequence[BurstClass]) -> Figures:
    groups = burst_groups(classes)
    return {
        figure: {name: _percent(metrics[figure]) for name, metrics in groups.items()}
        for figure in ("HOTA", "DetA", "AssA", "AP")
    }


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _hota_arrays(hota: Hota) -> dict[str, np.ndarray]:
    return {
        "HOTA": hota.hota,
        "DetA": hota.detection,
        "AssA": hota.association,
        "DetRe": hota.detection_recall,
        "DetPr": hota.detection_precision,
        "AssRe": hota.association_recall,
        "AssPr": hota.association_precision,
        "LocA": hota.localisation,
        "OWTA": hota.open_world,
    }


def _hota(hota: Hota) -> Figures:
    figures: Figures = {
        "HOTA_TP_per_alpha": hota.true_positives.tolist(),
        "HOTA_FN_per_alpha": hota.false_negatives.tolist(),
        "HOTA_FP_per_alpha": hota.false_positives.tolist(),
        "HOTA(0)": hota.hota[0],
        "LocA(0)": hota.localisation[0],
        "HOTALocA(0)": hota.hota[0] * hota.localisation[0],
    }
    for name, values in _hota_arrays(hota).items():
        figures[name] = float(values.mean())
        figures[f"{name}_per_alpha"] = values.tolist()
    return figures


def _class_averaged_hota(hotas: Sequence[Hota]) -> Figures:
    """Counts add up; everything else is the mean over classes."""
    parts = [_hota(hota) for hota in hotas]
    combined = _hota(combine(hotas))
    return {
        name: combined[name]
        if name.startswith(("HOTA_T", "HOTA_F"))
        else np.mean([part[name] for part in parts], axis=0).tolist()
        for name in combined
    }


def _track_map(track_map: TrackMap) -> Figures:
    return {
        f"{kind}_{part.name}": {"mean": _mean(values[lane]), "per_iou": values[lane].tolist()}
        for kind, values in (("AP", track_map.average_precision), ("AR", track_map.recall))
        for lane, part in enumerate(RANGES)
    }


def _class_averaged_map(maps: Sequence[TrackMap]) -> Figures:
    """Means over the classes that have objects in a range."""
    stacked = [np.stack([own.average_precision for own in maps]), np.stack([own.recall for own in maps])]
    averaged = []
    for values in stacked:
        counted = ~np.isnan(values)
        sums = np.where(counted, values, 0).sum(axis=0)
        averaged.append(
            np.divide(sums, counted.sum(axis=0), where=counted.any(axis=0), out=np.full(sums.shape, np.nan))
        )
    return _track_map(replace(maps[0], average_precision=averaged[0], recall=averaged[1]))


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def _counts(result: BurstClass) -> Figures:
    return {
        "Dets": result.counts.num_predicted,
        "GT_Dets": result.counts.num_annotated,
        "IDs": result.counts.num_predicted_ids,
        "GT_IDs": result.counts.num_annotated_ids,
    }


def _openvis(classes: Sequence[BurstClass]) -> Figures:
    """Percent, rounded to two digits as OpenVIS prints them."""
    return {
        name: {figure: None if value is None else round(100 * value, 2) for figure, value in metrics.items()}
        for name, metrics in burst_groups(classes).items()
    }


def _mask_variant(classes: Sequence[BurstClass]) -> Figures:
    averaged = _class_averaged_hota([result.hota for result in classes])
    return {
        "table_percent": _burst_table(classes),
        "class_averaged_HOTA": averaged,
        "per_class": {_official_name(result): _hota(result.hota) for result in classes},
    }


def _open_world(truth: BurstFile, results: BurstFile) -> Figures:
    table: Figures = {"OWTA": {}, "DetRe": {}, "AssA": {}}
    for subset in ("all", "common", "uncommon"):
        hota = evaluate_open_world(truth, results, subset=subset)
        table["OWTA"][subset] = 100 * float(hota.open_world.mean())
        table["DetRe"][subset] = 100 * float(hota.detection_recall.mean())
        table["AssA"][subset] = 100 * float(hota.association.mean())
    return table


def _official_name(result: BurstClass) -> str:
    category = load_table("burst").by_id()[result.category_id]
    return category.official_name or category.name


def printed_numbers(lines: Sequence[str]) -> list[list[str]]:
    """The figures at the end of each printed line, as texts, so that their digits are known."""
    return [re.findall(r"-?\d+\.\d+", line.split("] =")[-1]) for line in lines]
