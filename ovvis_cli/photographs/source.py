"""Photographs with instance masks in COCO's format, read from disk one at a time."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from pycocotools import mask as coco_mask

from ovvis_cli.errors import UsageError

HELD_OUT_EVERY = 10
"""Every tenth photograph of a folder, by its order in the file, is for validation."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph on disk and the run-length codes of its N objects."""

    path: Path
    size_hw: tuple[int, int]
    codes: tuple[dict[str, object], ...]
    names: tuple[str, ...]  # of the objects
    complete: bool  # everything that counts as an object is labelled

    def image(self) -> UInt8[np.ndarray, "H W 3"]:
        """Return the pixels, RGB.

        Raises:
            UsageError: the file is missing or no picture.
        """
        return read_image(self.path)

    def masks(self) -> Bool[np.ndarray, "N H W"]:
        """Return the mask of each object."""
        if not self.codes:
            return np.zeros((0, *self.size_hw), dtype=bool)
        decoded = coco_mask.decode(list(self.codes))
        return np.ascontiguousarray(decoded.transpose(2, 0, 1)).astype(bool)

    def mask(self, index: int) -> Bool[np.ndarray, "H W"]:
        """Return the mask of one object."""
        return np.asarray(coco_mask.decode(self.codes[index]), dtype=bool)


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Return the pixels of a file, RGB.

    Raises:
        UsageError: it is missing or no picture.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise UsageError(f"{path} is not a readable picture")
    return np.asarray(pixels, dtype=np.uint8)


def read_folder(folder: Path, *, complete: bool) -> list[Photograph]:
    """Return the photographs of `folder`, which holds `instances.json` and `images/`, in the file's order.

    Raises:
        UsageError: the file is missing or not in COCO's format.
    """
    file = folder / "instances.json"
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        names = {entry["id"]: str(entry["name"]) for entry in table["categories"]}
        objects = defaultdict(list)
        for entry in table["annotations"]:
            objects[entry["image_id"]].append(entry)
        return [
            Photograph(
                path=folder / "images" / image["file_name"],
                size_hw=(image["height"], image["width"]),
                codes=tuple(entry["segmentation"] for entry in objects[image["id"]]),
                names=tuple(names[entry["category_id"]] for entry in objects[image["id"]]),
                complete=complete,
            )
            for image in table["images"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"cannot read {file}: {error!r}", hint="a folder of photographs holds instances.json and images/"
        ) from error


def split(photographs: list[Photograph]) -> tuple[list[Photograph], list[Photograph]]:
    """Return the photographs for training and the held-out tenth."""
    train = [p for i, p in enumerate(photographs) if i % HELD_OUT_EVERY != HELD_OUT_EVERY - 1]
    return train, photographs[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
