"""Best frame of each track, and its picture cut out of that frame."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import UInt8

from ovvis_cli.record.reader import Record
from ovvis_cli.rle import rle_area

_MARGIN: Final = 0.12  # around the box, relative to its longer side
_JPEG_QUALITY: Final = 82


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFrame:
    """The frame in which a track is seen best: object score times root of the area is largest there."""

    frame_index: int
    time_s: float
    score: float  # object score in this frame


def best_frames(record: Record, *, track_ids: Collection[int]) -> dict[int, BestFrame]:
    """Return the best frame of each track that was seen; of equal ones the first.

    Raises:
        RecordError: the record is damaged.
    """
    best: dict[int, BestFrame] = {}
    visibility: dict[int, float] = {}
    for frame in record.frames():
        for instance in frame.instances:
            track_id = instance.track_id
            if track_id not in track_ids:
                continue
            visible = instance.score * math.sqrt(rle_area(instance.rle))
            if visible > visibility.get(track_id, -1.0):
                visibility[track_id] = visible
                best[track_id] = BestFrame(
                    frame_index=frame.frame_index, time_s=frame.time_s, score=instance.score
                )
    return best


def cut_out(
    image: UInt8[np.ndarray, "H0 W0 3"], box_xywh: tuple[int, int, int, int], *, max_side_px: int
) -> bytes:
    """Return the part of an image around a box as a JPEG picture."""
    x, y, width, height = box_xywh
    margin = round(_MARGIN * max(width, height))
    rows = slice(max(0, y - margin), y + max(1, height) + margin)
    columns = slice(max(0, x - margin), x + max(1, width) + margin)
    return small_jpeg(image[rows, columns], max_side_px=max_side_px)


def small_jpeg(image: UInt8[np.ndarray, "h w 3"], *, max_side_px: int) -> bytes:
    """Return an RGB image as a JPEG picture whose longer side has at most this length."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side_px / max(height, width))
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    return encoded.tobytes()
