"""Parts shared by many kinds: tapered limbs, eyes and points on a circle."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ovvis_cli.diorama.canvas import Canvas, Point
from ovvis_cli.diorama.look import Color, Look, Paint

_Points: TypeAlias = NDArray[np.float64]

_STEPS = 7  # points drawn between two points of a limb
_CAP = np.linspace(0.0, math.pi, 9)


def limb(canvas: Canvas, points: Sequence[Point], widths: tuple[float, float], paint: Paint | Color) -> None:
    """Fill a smooth limb through `points` (at least 2) with round ends, from one width to the other.

    Bends must be wider than the limb.
    """
    knots = np.asarray(points, dtype=np.float64)
    path = _open_spline(knots) if len(knots) > 2 else knots
    step = np.gradient(path, axis=0)
    along = step / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    radius = np.linspace(widths[0], widths[1], len(path))[:, None] / 2
    end_cap = _cap(path[-1], normal=normal[-1], along=along[-1], radius=widths[1] / 2)
    start_cap = _cap(path[0], normal=-normal[0], along=-along[0], radius=widths[0] / 2)
    left, right = path + normal * radius, path - normal * radius
    outline = np.concatenate([left, end_cap, right[::-1], start_cap])
    canvas.polygon([(x, y) for x, y in outline.tolist()], paint)


def eye(canvas: Canvas, look: Look, center: Point, *, radius: float) -> None:
    """Draw an eye that looks right: a light disc with a dark pupil."""
    x, y = center
    canvas.ellipse(center, (radius, radius), look.light)
    canvas.ellipse((x + 0.25 * radius, y), (0.6 * radius, 0.65 * radius), look.dark)


def around(center: Point, radius: float, angle_deg: float) -> Point:
    """Return the point at `radius` from `center`; 0 degrees is right, 90 is down."""
    angle = math.radians(angle_deg)
    return center[0] + radius * math.cos(angle), center[1] + radius * math.sin(angle)


def _cap(center: _Points, *, normal: _Points, along: _Points, radius: float) -> _Points:
    """Return a half circle from the left side of a limb's end over its tip to the right side."""
    arc: _Points = center + radius * (np.cos(_CAP)[:, None] * normal + np.sin(_CAP)[:, None] * along)
    return arc


def _open_spline(knots: _Points) -> _Points:
    """Return the Catmull-Rom curve through all knots."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])[:, None]
    before, here, after, after2 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0.0, 1.0, _STEPS, endpoint=False)[None, :, None]
    curve = here + 0.5 * t * (
        (after - before)
        + t * (2 * before - 5 * here + 4 * after - after2 + t * (3 * (here - after) + after2 - before))
    )
    return np.concatenate([curve.reshape(-1, 2), knots[-1:]])
