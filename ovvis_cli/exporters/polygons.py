"""Masks as single polygons, for formats and tools that cannot store run-length masks."""

from typing import Final, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float
from pycocotools import mask as coco_mask

from ovvis_cli.record.reader import instance_mask
from ovvis_cli.record.schema import InstanceLine
from ovvis_cli.rle import Rle, decode_rle

_MIN_POINTS: Final = 4
_TOLERANCE_PX: Final = (
    0.5  # of the doubled mask; the outline stays at least a quarter pixel from pixel centers
)


def mask_polygon(mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "P 2"]:
    """Return one closed polygon (x, y) [px] around all pixels of a mask that is not empty.

    Pixel (x, y) covers the square from (x, y) to (x + 1, y + 1). The outline runs a quarter of a pixel inside
    the mask, so every program that fills polygons by pixel centers restores the mask exactly; so does
    pycocotools. Parts and holes are joined by two lines at the same place, which enclose no area.
    """
    doubled = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return _joined([(_simplified(contour)[:, 0] + 0.5) / 2 for contour in contours])


def instance_polygon(instance: InstanceLine) -> Float[np.ndarray, "P 2"]:
    """Return `mask_polygon` of an instance, at its place in the frame.

    Raises:
        RecordError: its run lengths do not fit into the frame.
    """
    x, y, width, height = instance.box_xywh
    return mask_polygon(instance_mask(instance)[y : y + height, x : x + width]) + (x, y)


def changed_px(polygon: Float[np.ndarray, "P 2"], rle: Rle) -> int:
    """Return the number of pixels in which the mask of a polygon, by pycocotools, differs from `rle`."""
    (restored,) = coco_mask.frPyObjects([polygon.ravel().tolist()], *rle.size_hw)
    if restored["counts"] == rle.counts.encode("ascii"):
        return 0
    return int(np.count_nonzero(coco_mask.decode(restored) != decode_rle(rle)))


def _simplified(contour: np.ndarray) -> np.ndarray:
    fewer = cv2.approxPolyDP(contour, _TOLERANCE_PX, closed=True)
    return fewer if len(fewer) >= _MIN_POINTS else contour


class _Bridge(NamedTuple):
    """The shortest line from one ring to a point of another."""

    length: float  # squared
    start: Float[np.ndarray, "2"]
    end: int  # index of the point in the other ring


def _joined(rings: list[Float[np.ndarray, "P 2"]]) -> Float[np.ndarray, "P 2"]:
    """Join rings to one, nearest first, each by a line there and back."""
    whole, rest = rings[0], rings[1:]
    bridges = [_bridge(whole, ring) for ring in rest]
    while rest:
        number = min(range(len(rest)), key=lambda number: bridges[number].length)
        ring, bridge = rest.pop(number), bridges.pop(number)
        start = int((whole == bridge.start).all(axis=1).argmax())
        detour = (ring[bridge.end :], ring[: bridge.end + 1])
        whole = np.concatenate([whole[: start + 1], *detour, whole[start:]])
        bridges = [
            min(earlier, _bridge(ring, other), key=lambda bridge: bridge.length)
            for earlier, other in zip(bridges, rest, strict=True)
        ]
    return whole


def _bridge(ring: Float[np.ndarray, "P 2"], other: Float[np.ndarray, "R 2"]) -> _Bridge:
    lengths = ((ring[:, None] - other[None]) ** 2).sum(axis=2)
    start, end = np.unravel_index(int(lengths.argmin()), lengths.shape)
    return _Bridge(length=float(lengths[start, end]), start=ring[start], end=int(end))
