"""COCO compressed run-length encoding of masks: column-major runs, of which the first counts zeros."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from jaxtyping import Bool
from pycocotools import mask as coco_mask


class RleDict(TypedDict):
    """JSON form of a mask, as pycocotools reads it; `size` is [height, width]."""

    size: list[int]
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rle:
    """One mask; `size_hw` is (height, width), `counts` the ASCII string of COCO's compressed form."""

    size_hw: tuple[int, int]
    counts: str

    def to_dict(self) -> RleDict:
        """Return the JSON form."""
        return {"size": list(self.size_hw), "counts": self.counts}


def encode_masks(masks: Bool[np.ndarray, "N H0 W0"]) -> list[Rle]:
    """Encode masks, including empty ones, in order."""
    if masks.shape[0] == 0:
        return []
    columns_first = np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8)  # (H0, W0, N)
    height, width = int(masks.shape[1]), int(masks.shape[2])
    encoded = coco_mask.encode(columns_first)
    return [Rle(size_hw=(height, width), counts=entry["counts"].decode("ascii")) for entry in encoded]


def decode_rle(rle: Rle) -> Bool[np.ndarray, "H0 W0"]:
    """Decode a mask at the original frame size. Raises ValueError if the runs are longer than that."""
    zeros_and_ones = coco_mask.decode(rle.to_dict())
    return np.asarray(zeros_and_ones).view(np.bool_)


def rle_area(rle: Rle) -> int:
    """Return the number of pixels of the mask [px^2]."""
    return int(coco_mask.area(rle.to_dict()))


def rle_box(rle: Rle) -> tuple[int, int, int, int]:
    """Return the tight box (x, y, width, height) [px]; all zeros for an empty mask."""
    x, y, width, height = (int(value) for value in coco_mask.toBbox(rle.to_dict()))
    return x, y, width, height
