"""The YouTube-VIS evaluation as plainly as it can be written: loops over frames, tracks, thresholds, ranges.

Written from the rules in the fixtures' expected.json, with pycocotools for masks, to have something to hold
the fast evaluator against on data without official numbers. Only what those data need: no crowds, no id 0.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = {"": (0, 1e10), "s": (0, 128**2), "m": (128**2, 256**2), "l": (256**2, 1e10)}
LIMITS = (1, 10, 100)


def slow_metrics(ground_truth: dict[str, Any], predictions: list[dict[str, Any]]) -> dict[str, float]:
    """The twelve figures; -1 where there is nothing to measure."""
    objects, tracks = defaultdict(list), defaultdict(list)
    for annotation in ground_truth["annotations"]:
        objects[annotation["category_id"], annotation["video_id"]].append(annotation)
    for entry in predictions:
        tracks[entry["category_id"], entry["video_id"]].append(entry)
    for own in tracks.values():
        own.sort(key=lambda entry: -entry["score"])
    ious = {
        key: [
            [track_iou(entry, annotation) for annotation in objects[key]]
            for entry in tracks[key][: LIMITS[-1]]
        ]
        for key in tracks
        if key in objects
    }
    video_ids = sorted(video["id"] for video in ground_truth["videos"])
    precisions: dict[tuple[str, int | None], list[float]] = defaultdict(list)
    recalls: dict[tuple[str, int], list[float]] = defaultdict(list)
    for category_id in sorted(category["id"] for category in ground_truth["categories"]):
        keys = [
            (category_id, video_id)
            for video_id in video_ids
            if (category_id, video_id) in objects or (category_id, video_id) in tracks
        ]
        for name, area in AREAS.items():
            if not any(
                _inside(_area(annotation["areas"]), area)
                for key in keys
                for annotation in objects.get(key, ())
            ):
                continue
            for step, threshold in enumerate(THRESHOLDS):
                for limit in LIMITS:
                    precision, recall = _one(keys, objects, tracks, ious, threshold, area, limit)
                    recalls[name, limit].append(recall)
                    if limit == LIMITS[-1]:
                        precisions[name, None].append(precision)
                        precisions[name, step].append(precision)
    return _summary(precisions, recalls)


def track_iou(entry: dict[str, Any], annotation: dict[str, Any]) -> float:
    """Sum of intersections over sum of unions."""
    common = union = 0
    for own, other in zip(entry["segmentations"], annotation["segmentations"], strict=True):
        if own and other:
            common += int(coco_mask.area(coco_mask.merge([own, other], intersect=True)))
            union += int(coco_mask.area(coco_mask.merge([own, other], intersect=False)))
        elif own or other:
            union += int(coco_mask.area(own or other))
    return common / union if union else 0.0


def _one(
    keys: Sequence[tuple[int, int]],
    objects: Any,
    tracks: Any,
    ious: Any,
    threshold: float,
    area: tuple[float, float],
    limit: int,
) -> tuple[float, float]:
    """Average precision and recall of one class at one threshold, in one range, with one limit."""
    verdicts = []  # (score, found, ignored)
    num_objects = 0
    for key in keys:
        outside = [not _inside(_area(annotation["areas"]), area) for annotation in objects.get(key, ())]
        num_objects += outside.count(False)
        taken: set[int] = set()
        for rank, entry in enumerate(tracks.get(key, ())[:limit]):
            best, best_iou = -1, threshold
            for wanted in (False, True):  # objects that count come first
                if best < 0:
                    for index, is_outside in enumerate(outside):
                        fits = is_outside == wanted and index not in taken
                        if fits and ious[key][rank][index] >= best_iou:
                            best, best_iou = index, ious[key][rank][index]
            if best >= 0:
                taken.add(best)
                verdicts.append((entry["score"], True, outside[best]))
            else:
                areas = [int(coco_mask.area(rle)) for rle in entry["segmentations"] if rle]
                verdicts.append((entry["score"], False, not _inside(_area(areas), area)))
    verdicts.sort(key=lambda verdict: -verdict[0])
    found = np.array([hit and not ignored for _, hit, ignored in verdicts], dtype=bool)
    wrong = np.array([not hit and not ignored for _, hit, ignored in verdicts], dtype=bool)
    hits, misses = np.cumsum(found), np.cumsum(wrong)
    if not verdicts:
        return 0.0, 0.0
    recall, precision = hits / num_objects, hits / np.maximum(hits + misses, 1e-300)
    reached = [precision[recall >= point].max(initial=0.0) for point in RECALLS]
    return float(np.mean(reached)), float(recall[-1])


def _area(areas: Sequence[float | None]) -> float:
    seen = [area for area in areas if area]
    return sum(seen) / len(seen) if seen else 0.0


def _inside(value: float, area: tuple[float, float]) -> bool:
    return area[0] <= value <= area[1]


def _summary(precisions: Any, recalls: Any) -> dict[str, float]:
    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values)) if values else -1.0

    metrics = {
        "AP": mean(precisions["", None]),
        "AP50": mean(precisions["", 0]),
        "AP75": mean(precisions["", 5]),
    }
    metrics |= {f"AP{name}": mean(precisions[name, None]) for name in ("s", "m", "l")}
    metrics |= {f"AR{limit}": mean(recalls["", limit]) for limit in LIMITS}
    return metrics | {f"AR{name}": mean(recalls[name, LIMITS[-1]]) for name in ("s", "m", "l")}
