"""Masks as vector outlines, small enough for a page and drawn at any size."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The contours of a mask."""

    path: str  # SVG path in pixels, holes included; fill it by the even-odd rule
    main_box_xywh: tuple[int, int, int, int]  # box of the largest part; stray parts may lie outside [px]


def outline(mask: Bool[np.ndarray, "H0 W0"], *, tolerance_px: float) -> Outline:
    """Return the contours of a mask.

    Points may lie up to `tolerance_px` beside the contour of the mask (Douglas and Peucker's method).
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return Outline(path="", main_box_xywh=(0, 0, 0, 0))
    x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    lines = (_closed_line(cv2.approxPolyDP(contour, tolerance_px, True)[:, 0]) for contour in contours)
    return Outline(path="".join(lines), main_box_xywh=(x, y, width, height))


def _closed_line(points_xy: Int[np.ndarray, "P 2"]) -> str:
    """Return the path of one contour: its first point, then steps from point to point."""
    steps = np.diff(points_xy, axis=0).ravel().tolist()
    line = f"l{' '.join(map(str, steps))}" if steps else ""
    return f"M{points_xy[0, 0]} {points_xy[0, 1]}{line}z"
