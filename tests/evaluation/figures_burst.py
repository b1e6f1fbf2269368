"""Our BURST figures in the shape of the `expected.json` files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ovvis_cli.data.burst import BurstFile, parse_burst, parse_burst_results
from ovvis_cli.data.burst_conversion import to_ground_truth
from ovvis_cli.data.documents import read_json
from ovvis_cli.data.results import parse_results
from ovvis_cli.data.splits import category_splits
from ovvis_cli.evaluation.burst.evaluator import BurstClass, evaluate_burst, evaluate_open_world
from ovvis_cli.evaluation.burst.hota import Hota, combine
from ovvis_cli.evaluation.burst.scoring import burst_groups
from ovvis_cli.evaluation.burst.track_map import RANGES, TrackMap
from ovvis_cli.evaluation.metrics import track_metrics
from ovvis_cli.evaluation.rules import RULES
from ovvis_cli.evaluation.ytvis import evaluate_tracks
from ovvis_cli.vocabulary.categories import load_table
from tests.evaluation.figures import Figures, evaluation_figures, settings_figures, size_figures


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


def read_burst_pair(folder: Path) -> tuple[BurstFile, BurstFile]:
    """Annotations and results of a folder in BURST's own format."""
    path, results_path = folder / "ground_truth.json", folder / "predictions_burst.json"
    truth = parse_burst(read_json(path), path=path)
    return truth, parse_burst_results(read_json(results_path), path=results_path, ground_truth=truth)


def burst_folder_figures(folder: Path) -> Figures:
    """The figures of the BURST folder: the benchmark's, OpenVIS's, and those of CLIP-VIS and OVFormer."""
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
        "size": size_figures(converted, predictions),
        "official": _official(official),
        "openvis": {"result": _openvis(official)},
        "variant_hota_with_mask_iou": _mask_variant(masks),
        "open_world": {"table_percent": _open_world(truth, results)},
        "papers_ap": {
            **evaluation_figures(papers, converted, splits=splits),
            "evaluator": {"settings": settings_figures(papers.rules, named_ranges=True)},
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
