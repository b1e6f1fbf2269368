"""YouTube-VIS annotation file of a diorama data set, as typed JSON objects."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np
from jaxtyping import Bool

from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.rle import RleDict, encode_masks, rle_area, rle_box


class CategoryEntry(TypedDict):
    """One kind; ids count from 1 in the order of names."""

    id: int
    name: str
    split: Literal["base", "novel"]
    supercategory: str


class VideoEntry(TypedDict):
    """One video; `file_names` are relative to the folder of frames."""

    id: int
    width: int
    height: int
    length: int
    file_names: list[str]


class TrackAnnotation(TypedDict):
    """One object in one video: per frame a mask, a box (x, y, width, height) [px] and an area [px^2]."""

    id: int
    video_id: int
    category_id: int
    iscrowd: Literal[0]
    width: int
    height: int
    length: int
    segmentations: list[RleDict | None]
    bboxes: list[list[int] | None]
    areas: list[int | None]
    caption: str


class Annotations(TypedDict):
    """The whole annotation file."""

    info: dict[str, str | int]
    videos: list[VideoEntry]
    annotations: list[TrackAnnotation]
    categories: list[CategoryEntry]


def category_entries(kinds: Sequence[Kind]) -> list[CategoryEntry]:
    """Return the categories of `kinds`, in their order."""
    return [
        {
            "id": index + 1,
            "name": kind.name,
            "split": "novel" if kind.novel else "base",
            "supercategory": "object",
        }
        for index, kind in enumerate(kinds)
    ]


def track_annotation(
    masks: Bool[np.ndarray, "T H W"], *, annotation_id: int, video_id: int, category_id: int, caption: str
) -> TrackAnnotation | None:
    """Return the annotation of one object from its masks, or None if it is never visible."""
    length, height, width = masks.shape
    seen = [bool(mask.any()) for mask in masks]
    if not any(seen):
        return None
    runs = [rle if visible else None for rle, visible in zip(encode_masks(masks), seen, strict=True)]
    return {
        "id": annotation_id,
        "video_id": video_id,
        "category_id": category_id,
        "iscrowd": 0,
        "width": width,
        "height": height,
        "length": length,
        "segmentations": [rle.to_dict() if rle else None for rle in runs],
        "bboxes": [list(rle_box(rle)) if rle else None for rle in runs],
        "areas": [rle_area(rle) if rle else None for rle in runs],
        "caption": caption,
    }
