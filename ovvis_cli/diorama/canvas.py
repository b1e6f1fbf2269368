"""Drawing surface of the diorama: filled shapes in unit coordinates, anti-aliased onto an RGBA picture.

Coordinates run from 0 to 1, x to the right and y DOWN. Later shapes cover earlier ones; the final alpha is
the union of all shapes minus what was erased. Internally the picture is premultiplied and enlarged; it is
shrunk by area averaging at the end.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from ovvis_cli.diorama.look import Color, Paint

Point: TypeAlias = tuple[float, float]
"""x, y in unit coordinates."""

_MIN_INNER_PX = 256  # small pictures are enlarged to this size, so that thin lines keep their width
_MIN_SUPERSAMPLING = 2
_SHIFT = 4  # fractional bits of the coordinates given to OpenCV
_NUM_ELLIPSE_POINTS = 48
_SPLINE_STEPS = 8  # points drawn per control point of a blob
_INSIDE = 160  # coverage (of 255) above which a pixel of a patterned shape gets the second color
_PERIOD_STEPS = 256  # a power of two; the two below are in these steps
_STRIPE = 116
_SPOT_RADIUS = 80
_CLEAR = (0, 0, 0, 0)


class Canvas:
    """A square RGBA drawing surface with unit coordinates; `paint` is a `Paint` or a single color."""

    def __init__(self, size_px: int) -> None:
        if size_px < 1:
            raise ValueError(f"size_px must be at least 1, got {size_px}")
        self.size_px = size_px
        supersampling = max(_MIN_SUPERSAMPLING, math.ceil(_MIN_INNER_PX / size_px))
        self._inner_px = size_px * supersampling
        self._pixels = np.zeros((self._inner_px, self._inner_px, 4), dtype=np.uint8)
        self._second_color_areas: dict[tuple[str, float, float], NDArray[np.bool_]] = {}

    def polygon(self, points: Sequence[Point], paint: Paint | Color) -> None:
        """Fill a closed polygon (even-odd where it crosses itself)."""
        self._fill(np.asarray(points, dtype=np.float64), paint=paint)

    def ellipse(
        self,
        center: Point,
        radii: Point,
        paint: Paint | Color,
        *,
        angle_deg: float = 0.0,
        start_deg: float = 0.0,
        end_deg: float = 360.0,
    ) -> None:
        """Fill an ellipse turned clockwise by `angle_deg`, or its pie slice from `start_deg` to `end_deg`.

        Angles run clockwise from the ellipse's own x axis: 90 is below the center.
        """
        outline = _ellipse_points(
            center, radii=radii, angle_deg=angle_deg, start_deg=start_deg, end_deg=end_deg
        )
        self._fill(outline, paint=paint)

    def blob(self, points: Sequence[Point], paint: Paint | Color) -> None:
        """Fill the closed smooth curve through all `points` (at least 3) in order."""
        self._fill(_closed_spline(np.asarray(points, dtype=np.float64)), paint=paint)

    def line(
        self, points: Sequence[Point], width: float, paint: Paint | Color, *, closed: bool = False
    ) -> None:
        """Draw a polyline of `width` in unit coordinates, with round caps and joints."""
        thickness_px = max(1, round(width * self._inner_px))
        path = self._to_fixed(np.asarray(points, dtype=np.float64))
        color, second_area = self._resolve(paint)
        _stroke(self._pixels, path=path, color=(*color.color, 255), thickness_px=thickness_px, closed=closed)
        if second_area is not None:
            coverage = np.zeros(self._pixels.shape[:2], dtype=np.uint8)
            _stroke(coverage, path=path, color=(255,), thickness_px=thickness_px, closed=closed)
            self._pixels[(coverage > _INSIDE) & second_area] = (*color.color2, 255)

    def erase_ellipse(self, center: Point, radii: Point, *, angle_deg: float = 0.0) -> None:
        """Make the inside of an ellipse transparent."""
        outline = _ellipse_points(center, radii=radii, angle_deg=angle_deg, start_deg=0.0, end_deg=360.0)
        self._erase(outline)

    def erase_polygon(self, points: Sequence[Point]) -> None:
        """Make the inside of a polygon transparent."""
        self._erase(np.asarray(points, dtype=np.float64))

    def paste(self, rgba: UInt8[np.ndarray, "h w 4"]) -> None:
        """Replace the drawing by a picture in straight alpha, as large as fits, in the middle."""
        height, width = rgba.shape[:2]
        scale = self._inner_px / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        color = cv2.multiply(rgba[..., :3], cv2.merge([rgba[..., 3]] * 3), scale=1.0 / 255.0)
        resized = cv2.resize(np.dstack([color, rgba[..., 3]]), size, interpolation=interpolation)
        left, top = (self._inner_px - size[0]) // 2, (self._inner_px - size[1]) // 2
        self._pixels[:] = 0
        self._pixels[top : top + size[1], left : left + size[0]] = resized

    def rgba(self) -> UInt8[np.ndarray, "S S 4"]:
        """Return a new array with the picture at `size_px`, in straight (not premultiplied) alpha."""
        size_hw = (self.size_px, self.size_px)
        small = cv2.resize(self._pixels, size_hw, interpolation=cv2.INTER_AREA).astype(np.uint16)
        alpha = small[..., 3:]
        straight = (small[..., :3] * np.uint16(255) + alpha // 2) // np.maximum(alpha, 1)
        return np.concatenate([np.minimum(straight, 255), alpha], axis=2).astype(np.uint8)

    def _fill(self, outline: NDArray[np.float64], *, paint: Paint | Color) -> None:
        color, second_area = self._resolve(paint)
        path = self._to_fixed(outline)
        cv2.fillPoly(self._pixels, [path], (*color.color, 255), cv2.LINE_AA, _SHIFT)
        if second_area is None:
            return
        low = np.clip(np.floor(outline.min(axis=0) * self._inner_px).astype(int) - 1, 0, self._inner_px)
        high = np.clip(np.ceil(outline.max(axis=0) * self._inner_px).astype(int) + 2, 0, self._inner_px)
        if (high <= low).any():  # entirely outside the canvas
            return
        (left, top), (right, bottom) = low, high
        coverage = np.zeros((bottom - top, right - left), dtype=np.uint8)
        cv2.fillPoly(coverage, [path - (low << _SHIFT).astype(np.int32)], (255,), cv2.LINE_AA, _SHIFT)
        inside = (coverage > _INSIDE) & second_area[top:bottom, left:right]
        self._pixels[top:bottom, left:right][inside] = (*color.color2, 255)

    def _erase(self, outline: NDArray[np.float64]) -> None:
        cv2.fillPoly(self._pixels, [self._to_fixed(outline)], _CLEAR, cv2.LINE_AA, _SHIFT)

    def _resolve(self, paint: Paint | Color) -> tuple[Paint, NDArray[np.bool_] | None]:
        """Return the paint, and where on the canvas its second color shows (None for plain)."""
        if not isinstance(paint, Paint):
            return Paint(paint), None
        if paint.pattern == "plain":
            return paint, None
        key = (paint.pattern, paint.period, paint.angle_deg)  # the same for all shades of a paint
        if key not in self._second_color_areas:
            self._second_color_areas[key] = _second_color_area(paint, size_px=self._inner_px)
        return paint, self._second_color_areas[key]

    def _to_fixed(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        # OpenCV has pixel centers at integers; here they are at one half.
        return np.round((points * self._inner_px - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _stroke(
    image: NDArray[np.uint8],
    *,
    path: NDArray[np.int32],
    color: tuple[int, ...],
    thickness_px: int,
    closed: bool,
) -> None:
    cv2.polylines(image, [path], closed, color, thickness_px, cv2.LINE_AA, _SHIFT)


def _ellipse_points(
    center: Point, *, radii: Point, angle_deg: float, start_deg: float, end_deg: float
) -> NDArray[np.float64]:
    angles = np.radians(np.linspace(start_deg, end_deg, _NUM_ELLIPSE_POINTS))
    local = np.stack([np.cos(angles) * radii[0], np.sin(angles) * radii[1]], axis=1)
    if end_deg - start_deg < 360.0:
        local = np.concatenate([local, np.zeros((1, 2))])
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    outline: NDArray[np.float64] = local @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(center)
    return outline


def _closed_spline(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Catmull-Rom curve through all points and back to the first."""
    before, after, after2 = (np.roll(points, -offset, axis=0)[:, None] for offset in (-1, 1, 2))
    here = points[:, None]
    t = np.linspace(0.0, 1.0, _SPLINE_STEPS, endpoint=False)[None, :, None]
    curve = here + 0.5 * t * (
        (after - before)
        + t * (2 * before - 5 * here + 4 * after - after2 + t * (3 * (here - after) + after2 - before))
    )
    return curve.reshape(-1, 2)


def _second_color_area(paint: Paint, *, size_px: int) -> NDArray[np.bool_]:
    """Compute in integers, in 1/256 of a period: many times faster than float remainders."""
    axis = ((np.arange(size_px) + 0.5) / size_px - 0.5) * _PERIOD_STEPS / paint.period
    cos, sin = math.cos(math.radians(paint.angle_deg)), math.sin(math.radians(paint.angle_deg))
    along = np.add.outer((axis * sin).astype(np.int32), (axis * cos).astype(np.int32))
    across = np.add.outer((axis * cos).astype(np.int32), (axis * -sin).astype(np.int32))
    area: NDArray[np.bool_]
    if paint.pattern == "two-tone":
        area = np.greater(along, 0)
    elif paint.pattern == "striped":
        area = np.less(along & (_PERIOD_STEPS - 1), _STRIPE)
    elif paint.pattern == "checkered":
        area = np.not_equal((along ^ across) & (_PERIOD_STEPS // 2), 0)
    else:
        along += (across & _PERIOD_STEPS) >> 1  # every other row of spots is shifted by half a period
        for offsets in (along, across):
            offsets &= _PERIOD_STEPS - 1
            offsets -= _PERIOD_STEPS // 2
            offsets *= offsets
        area = np.less(along + across, _SPOT_RADIUS**2)
    return area
