"""Small ground truths, results and data sets for tests, made of boolean masks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from ovvis_cli.data.ground_truth import parse_ground_truth
from ovvis_cli.data.results import parse_results
from ovvis_cli.data.segmentations import Segmentations, read_mask_tracks
from ovvis_cli.data.tracks import AnnotatedVideo, GroundTruth, MaskTrack, PredictedTrack

FRAME_HW = (24, 32)
Box = tuple[int, int, int, int] | None  # x, y, width, height


def box_masks(boxes: Sequence[Box], *, frame_hw: tuple[int, int] = FRAME_HW) -> np.ndarray:
    """(T, H, W) bool, a filled rectangle a frame; None for an empty frame."""
    masks = np.zeros((len(boxes), *frame_hw), dtype=bool)
    for mask, box in zip(masks, boxes, strict=True):
        if box is not None:
            x, y, width, height = box
            mask[y : y + height, x : x + width] = True
    return masks


def rles(masks: np.ndarray) -> list[dict[str, Any] | None]:
    """Compressed run lengths of each frame, null where it is empty."""
    encoded = []
    for mask in masks:
        rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        counts = rle["counts"].decode("ascii")
        encoded.append({"size": list(mask.shape), "counts": counts} if mask.any() else None)
    return encoded


def mask_track(masks: np.ndarray) -> MaskTrack:
    """The masks as an evaluator takes them."""
    video = AnnotatedVideo(video_id=1, frame_hw=masks.shape[1:], num_frames=len(masks), file_names=())
    (track,) = read_mask_tracks(
        [Segmentations(where="entry 0", items=rles(masks), video=video)], path=Path("x")
    )
    return track


def video_entry(video_id: int, *, num_frames: int, frame_hw: tuple[int, int] = FRAME_HW) -> dict[str, Any]:
    """One video of an annotation file."""
    names = [f"v{video_id}/{frame:05d}.jpg" for frame in range(num_frames)]
    height, width = frame_hw
    return {"id": video_id, "height": height, "width": width, "length": num_frames, "file_names": names}


def annotation(annotation_id: int, *, video_id: int, category_id: int, masks: np.ndarray) -> dict[str, Any]:
    """One object of an annotation file."""
    areas = masks.sum(axis=(1, 2)).tolist()
    return {
        "id": annotation_id,
        "video_id": video_id,
        "category_id": category_id,
        "iscrowd": 0,
        "segmentations": rles(masks),
        "areas": [area or None for area in areas],
    }


def prediction(*, video_id: int, category_id: int, score: float, masks: np.ndarray) -> dict[str, Any]:
    """One entry of a results file."""
    entry = {"video_id": video_id, "category_id": category_id, "score": score}
    return {**entry, "segmentations": rles(masks)}


def document(
    videos: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]] | None
) -> dict[str, Any]:
    """An annotation file with the base category dog and the novel one kite."""
    categories = [{"id": 1, "name": "dog", "split": "base"}, {"id": 2, "name": "kite", "split": "novel"}]
    content: dict[str, Any] = {"videos": list(videos), "categories": categories}
    return content if annotations is None else {**content, "annotations": list(annotations)}


def read(
    content: dict[str, Any], entries: Sequence[dict[str, Any]]
) -> tuple[GroundTruth, tuple[PredictedTrack, ...]]:
    """Both documents as an evaluator takes them."""
    truth = parse_ground_truth(json.loads(json.dumps(content)), path=Path("truth.json"))
    results = json.loads(json.dumps(list(entries)))
    return truth, parse_results(results, path=Path("results.json"), videos=truth.videos)


def write_data_set(folder: Path, content: dict[str, Any]) -> Path:
    """A diorama data set whose frames show its annotations: object n of a video is 60 * (n + 1) bright."""
    split = folder / "val"
    split.mkdir(parents=True)
    (split / "instances.json").write_text(json.dumps(content), encoding="utf-8")
    for video in content["videos"]:
        own = [entry for entry in content.get("annotations") or [] if entry["video_id"] == video["id"]]
        for frame, name in enumerate(video["file_names"]):
            image = np.zeros((video["height"], video["width"], 3), dtype=np.uint8)
            for n, entry in enumerate(own):
                if entry["segmentations"][frame] is not None:
                    image[coco_mask.decode(entry["segmentations"][frame]) > 0] = 60 * (n + 1)
            path = split / "JPEGImages" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", image)[1].tobytes())  # exact, whatever the name says
    return folder
