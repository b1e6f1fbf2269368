"""Random shapes without a name, new each time: more objects for class-agnostic proposals to learn from.

They are not part of `ALL_KINDS`, have no synonyms and never appear in a vocabulary.
"""

import math

import numpy as np

from ovvis_cli.diorama.canvas import Canvas, Point
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.kinds.parts import around, eye, limb
from ovvis_cli.diorama.look import Look

_CENTER = (0.5, 0.5)


def draw_blob(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a smooth lump, sometimes with a patch or a hole."""
    num_points = int(rng.integers(4, 10))
    canvas.blob(_ring_points(rng, num_points=num_points, low=0.22, high=0.44), look.body)
    if rng.random() < 0.5:
        canvas.blob(_ring_points(rng, num_points=num_points, low=0.06, high=0.16), look.accent)
    elif rng.random() < 0.5:
        canvas.erase_ellipse(_CENTER, (rng.uniform(0.04, 0.12), rng.uniform(0.04, 0.12)))


def draw_polygon(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a star or a jagged polygon."""
    num_points = int(rng.integers(3, 9))
    turn, inner = rng.uniform(0.0, 360.0), rng.uniform(0.35, 1.0)
    stretch, tilt = rng.uniform(0.45, 1.0), rng.uniform(0.0, math.pi)
    star = [around((0.0, 0.0), 0.45 * (inner if index % 2 else rng.uniform(0.85, 1.0)),
                   turn + 180.0 * index / num_points) for index in range(2 * num_points)]  # fmt: skip
    cos, sin = math.cos(tilt), math.sin(tilt)
    canvas.polygon(
        [(0.5 + cos * x - sin * y * stretch, 0.5 + sin * x + cos * y * stretch) for x, y in star], look.body
    )
    if rng.random() < 0.5:
        canvas.ellipse(_CENTER, (0.09, 0.09 * stretch), look.accent)


def draw_ring(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a flat ring, frame or arc."""
    radii = (rng.uniform(0.25, 0.45), rng.uniform(0.25, 0.45))
    hole, angle = rng.uniform(0.35, 0.8), rng.uniform(0.0, 180.0)
    shift = rng.uniform(-0.15, 0.15) * (1 - hole)
    if rng.random() < 0.6:
        canvas.ellipse(
            _CENTER, radii, look.body, angle_deg=angle, end_deg=float(rng.choice([360.0, 360.0, 270.0]))
        )
    else:
        canvas.polygon(
            _rectangle(_CENTER, half=(radii[0] * 0.75, radii[1] * 0.75), angle_deg=angle), look.body
        )
        hole *= 0.7
    canvas.erase_ellipse((0.5 + shift, 0.5), (radii[0] * hole, radii[1] * hole), angle_deg=angle)


def draw_limbs(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a small core with thin limbs in all directions."""
    num_limbs, turn = int(rng.integers(3, 9)), rng.uniform(0.0, 360.0)
    core, ended = rng.uniform(0.07, 0.17), rng.random() < 0.4
    for index in range(num_limbs):
        angle = turn + 360.0 * index / num_limbs + rng.uniform(-15, 15)
        tip = around(_CENTER, rng.uniform(0.28, 0.42), angle)
        width = rng.uniform(0.025, 0.07)
        middle = around(_CENTER, 0.2, angle + rng.uniform(-25, 25))
        limb(canvas, [_CENTER, middle, tip], (width * 1.4, width), look.body.shaded(rng.uniform(0.7, 1.0)))
        if ended:
            canvas.ellipse(tip, (0.04, 0.04), look.accent)
    canvas.ellipse(_CENTER, (core, core * rng.uniform(0.7, 1.3)), look.body)


def draw_composed(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a body of two to five plain parts, each over the edge of an earlier one; sometimes with an eye."""
    centers: list[Point] = [(rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58))]
    for index in range(int(rng.integers(2, 6))):
        if index:
            base = centers[int(rng.integers(len(centers)))]
            x, y = around(base, rng.uniform(0.1, 0.19), rng.uniform(0.0, 360.0))
            centers.append((float(np.clip(x, 0.27, 0.73)), float(np.clip(y, 0.27, 0.73))))
        half = (rng.uniform(0.13, 0.24), rng.uniform(0.13, 0.24))
        paint = (look.body, look.accent, look.body.shaded(0.7))[int(rng.integers(3)) if index else 0]
        angle = rng.uniform(0.0, 180.0)
        if rng.random() < 0.5:
            canvas.ellipse(centers[-1], half, paint, angle_deg=angle)
        else:
            canvas.polygon(
                _rectangle(centers[-1], half=(half[0] * 0.75, half[1] * 0.75), angle_deg=angle), paint
            )
    if rng.random() < 0.4:
        eye(canvas, look, centers[-1], radius=rng.uniform(0.025, 0.05))


def draw_stroke(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a letter-like figure of two to four joined bars of one width."""
    width = rng.uniform(0.05, 0.13)
    grid = (0.15, 0.5, 0.85)
    start = (grid[int(rng.integers(3))], grid[int(rng.integers(3))])
    for _ in range(int(rng.integers(2, 5))):
        end = start
        while end == start:
            end = (grid[int(rng.integers(3))], grid[int(rng.integers(3))])
        canvas.line([start, end], width, look.body)
        start = end


def draw_solid(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a box or a roll with a shaded end."""
    half, depth = (rng.uniform(0.12, 0.34), rng.uniform(0.2, 0.34)), rng.uniform(0.06, 0.14)
    left, right, top, bottom = 0.5 - half[0], 0.5 + half[0], 0.5 - half[1], 0.5 + half[1]
    canvas.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], look.body)
    if rng.random() < 0.5:
        slant = rng.uniform(-0.1, 0.1)
        canvas.polygon([(left, top), (left + slant, top - depth), (right + slant, top - depth),
                        (right, top)], look.accent)  # fmt: skip
    else:
        canvas.ellipse((0.5, bottom), (half[0], depth * 0.8), look.body)
        canvas.ellipse((0.5, top), (half[0], depth * 0.8), look.accent)


def _ring_points(rng: np.random.Generator, *, num_points: int, low: float, high: float) -> list[Point]:
    turn = rng.uniform(0.0, 360.0)
    return [
        around(_CENTER, rng.uniform(low, high), turn + 360.0 * index / num_points)
        for index in range(num_points)
    ]


def _rectangle(center: Point, *, half: Point, angle_deg: float) -> list[Point]:
    angle = math.radians(angle_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    corners = ((-half[0], -half[1]), (half[0], -half[1]), (half[0], half[1]), (-half[0], half[1]))
    return [(center[0] + cos * x - sin * y, center[1] + sin * x + cos * y) for x, y in corners]


NAMELESS: tuple[Kind, ...] = (
    Kind("nameless-blob", (), draw_blob),
    Kind("nameless-polygon", (), draw_polygon),
    Kind("nameless-ring", (), draw_ring),
    Kind("nameless-limbs", (), draw_limbs),
    Kind("nameless-composed", (), draw_composed),
    Kind("nameless-stroke", (), draw_stroke),
    Kind("nameless-solid", (), draw_solid),
)
