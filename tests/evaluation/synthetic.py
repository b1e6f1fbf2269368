"""A data set in the shape of LV-VIS's validation part, as large as wanted: random blobs, jittered tracks."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from ovvis_cli.atomic import write_text_atomic

_FRAME_HW = (360, 640)
_POOL = 64  # shapes; each moves by whole pixels, so a mask is drawn once


def write_synthetic(
    folder: Path,
    *,
    num_videos: int,
    num_predictions: int,
    num_categories: int,
    num_frames: int = 20,
    seed: int = 0,
) -> None:
    """Writes ground_truth.json and predictions.json: 1-5 objects a video, some predictions near them."""
    rng = np.random.default_rng(seed)
    height, width = _FRAME_HW
    masks = _masks(rng)
    videos: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    path = folder / "predictions.json"
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for video_id in range(num_videos):
            names = [f"{video_id:05d}/{frame:05d}.jpg" for frame in range(num_frames)]
            videos.append(
                {"id": video_id, "height": height, "width": width, "length": num_frames, "file_names": names}
            )
            objects = [_object(rng, num_categories=num_categories) for _ in range(rng.integers(1, 6))]
            for shape, category_id in objects:
                annotation = _annotation(rng, masks[shape], num_frames=num_frames)
                fields = {"id": len(annotations) + 1, "video_id": video_id, "category_id": category_id}
                annotations.append({**fields, **annotation})
            for rank in range(num_predictions):
                near = rank < 3 * len(objects)
                shape, category_id = (
                    objects[rank % len(objects)] if near else _object(rng, num_categories=num_categories)
                )
                entry = {
                    "video_id": video_id,
                    "category_id": category_id,
                    "score": round(float(rng.random()), 3),
                    "segmentations": _track(rng, masks[shape], num_frames=num_frames),
                }
                file.write(("" if video_id == rank == 0 else ",") + json.dumps(entry, separators=(",", ":")))
        file.write("]")
    categories = [
        {"id": number, "name": f"class_{number}", "partition": number % 4}
        for number in range(1, num_categories + 1)
    ]
    content = {"videos": videos, "categories": categories, "annotations": annotations}
    write_text_atomic(folder / "ground_truth.json", json.dumps(content))


def _object(rng: np.random.Generator, *, num_categories: int) -> tuple[int, int]:
    return int(rng.integers(_POOL)), int(rng.integers(1, num_categories + 1))


def _annotation(rng: np.random.Generator, masks: list[Any], *, num_frames: int) -> dict[str, Any]:
    track = _track(rng, masks, num_frames=num_frames)
    return {
        "iscrowd": 0,
        "segmentations": track,
        "areas": [None if rle is None else int(coco_mask.area(rle)) for rle in track],
    }


def _track(rng: np.random.Generator, masks: list[Any], *, num_frames: int) -> list[Any]:
    """A jittered copy of one shape in each frame, now and then none."""
    first = int(rng.integers(3))
    places = rng.integers(first, first + 3, size=num_frames)
    seen = rng.random(num_frames) > 0.1
    return [masks[place] if visible else None for place, visible in zip(places, seen, strict=True)]


def _masks(rng: np.random.Generator) -> list[list[Any]]:
    """For each shape of the pool, the same blob at five places that are a little apart."""
    return [_jittered_blob(rng) for _ in range(_POOL)]


def _jittered_blob(rng: np.random.Generator) -> list[Any]:
    height, width = _FRAME_HW
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = rng.uniform(20, 90) * (1 + 0.3 * np.sin(3 * angles + rng.uniform(0, 6)) + rng.normal(0, 0.05, 40))
    center = np.array([rng.uniform(80, width - 80), rng.uniform(60, height - 60)])
    outline = center + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    encoded = []
    for shift in range(5):
        mask = np.zeros((height, width), dtype=np.uint8)
        cv2.fillPoly(mask, [np.round(outline + 3 * shift).astype(np.int32)], 1)
        rle = coco_mask.encode(np.asfortranarray(mask))
        encoded.append({"size": [height, width], "counts": rle["counts"].decode("ascii")})
    return encoded
