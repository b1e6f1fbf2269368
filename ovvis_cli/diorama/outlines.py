"""Outlines shared by several kinds: boxes, arcs, stars, mirrored silhouettes; unit coordinates, y down."""

import math
from collections.abc import Sequence

from ovvis_cli.diorama.canvas import Canvas, Point
from ovvis_cli.diorama.look import Color, Look, Paint


def box(left: float, top: float, right: float, bottom: float, *, cut: float = 0.0) -> list[Point]:
    """Return an axis-parallel rectangle whose corners are cut off by `cut`."""
    if cut <= 0.0:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    near = 0.3 * cut
    corners = [(left, top, 1, 1), (right, top, -1, 1), (right, bottom, -1, -1), (left, bottom, 1, -1)]
    points: list[Point] = []
    for index, (x, y, inward_x, inward_y) in enumerate(corners):
        corner = [
            (x, y + inward_y * cut),
            (x + inward_x * near, y + inward_y * near),
            (x + inward_x * cut, y),
        ]
        points += corner if index % 2 == 0 else corner[::-1]
    return points


def arc(center: Point, radii: Point, start_deg: float, end_deg: float, *, num: int = 20) -> list[Point]:
    """Return `num` points of an ellipse arc; 0 degrees is right, 90 is down, 270 is up."""
    angles = [math.radians(start_deg + (end_deg - start_deg) * index / (num - 1)) for index in range(num)]
    return [(center[0] + radii[0] * math.cos(a), center[1] + radii[1] * math.sin(a)) for a in angles]


def mirrored(left_side: Sequence[Point]) -> list[Point]:
    """Return the closed outline of a left side (top to bottom) and its reflection about x = 0.5."""
    return [*left_side, *((1.0 - x, y) for x, y in reversed(left_side))]


def ring(canvas: Canvas, center: Point, radius: float, width: float, *, paint: Paint | Color) -> None:
    """Draw an open ring; `radius` is that of the middle of its band."""
    canvas.line(arc(center, (radius, radius), 0.0, 345.0, num=24), width, paint, closed=True)


def star(center: Point, radius: float, num: int, *, start_deg: float = 0.0) -> list[Point]:
    """Return one polyline that visits the center between every two spoke ends."""
    points: list[Point] = []
    for x, y in arc(center, (radius, radius), start_deg, start_deg + 360.0 * (num - 1) / num, num=num):
        points += [center, (x, y)]
    return points


def wheel(canvas: Canvas, center: Point, radius: float, look: Look) -> None:
    """Draw a filled wheel: dark tire, light rim, dark hub."""
    canvas.ellipse(center, (radius, radius), look.dark)
    canvas.ellipse(center, (0.55 * radius, 0.55 * radius), look.light)
    canvas.ellipse(center, (0.2 * radius, 0.2 * radius), look.dark)
