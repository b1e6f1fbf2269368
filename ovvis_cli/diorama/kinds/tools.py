"""Kinds held in a hand to work with, and the ladder; upright, working end as in use."""

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import Look
from ovvis_cli.diorama.outlines import arc, box, mirrored


def _key(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    bow = rng.uniform(0.15, 0.19)
    hole = rng.uniform(0.5, 0.62) * bow
    center = (0.5, 0.06 + bow)
    shaft = rng.uniform(0.08, 0.1)
    neck = center[1] + bow
    canvas.polygon(box(0.5 - 0.5 * shaft, neck - 0.04, 0.5 + 0.5 * shaft, 0.94, cut=0.02), look.body)
    bit = rng.uniform(0.13, 0.17)
    for y in (0.7, 0.7 + rng.uniform(0.11, 0.14)):
        depth = bit * rng.uniform(0.8, 1.2)
        canvas.polygon(box(0.5, y, 0.5 + 0.5 * shaft + depth, y + rng.uniform(0.06, 0.075)), look.body)
    canvas.ellipse(center, (bow * rng.uniform(1.0, 1.25), bow), look.body)
    canvas.polygon(
        box(0.5 - 0.8 * shaft, neck + 0.02, 0.5 + 0.8 * shaft, neck + 0.07, cut=0.015), look.accent
    )
    canvas.erase_ellipse(center, (hole, hole))


def _hammer(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    width = rng.uniform(0.085, 0.11)
    face = rng.uniform(0.1, 0.125)
    middle = rng.uniform(0.19, 0.22)
    stem = 0.54
    canvas.line([(stem, middle), (stem, 0.9)], width, look.accent)
    canvas.line([(stem, 0.66), (stem, 0.89)], width + 0.025, look.dark)
    claw = [(0.5, middle - 0.07), (0.34, middle - 0.08), (0.2, middle - 0.02), (0.09, middle + 0.14)]
    claw += [(0.15, middle + 0.13), (0.27, middle + 0.06), (0.46, middle + 0.08)]
    canvas.polygon(claw, look.body)
    canvas.polygon(box(0.44, middle - 0.09, 0.66, middle + 0.09, cut=0.02), look.body)
    canvas.polygon(box(0.64, middle - 0.06, 0.76, middle + 0.06), look.body)
    canvas.polygon(box(0.74, middle - face, 0.87, middle + face, cut=0.025), look.body)
    canvas.line([(0.76, middle - face + 0.03), (0.76, middle + face - 0.03)], 0.022, look.dark)


def _scissors(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    spread = rng.uniform(0.1, 0.2)
    pivot = (0.5, rng.uniform(0.5, 0.55))
    loop_w, loop_h = rng.uniform(0.11, 0.135), rng.uniform(0.13, 0.16)
    width = rng.uniform(0.06, 0.075)
    low = 0.93 - loop_h
    for side in (-1.0, 1.0):
        tip = (0.5 + side * spread, 0.06)
        inner = (0.5 + side * 0.02, pivot[1] - 0.12)
        canvas.polygon(
            [
                tip,
                inner,
                (0.5 - side * 0.07, pivot[1] + 0.09),
                (0.5 - side * 0.01, pivot[1] + 0.1),
                (0.5 + side * (0.09 + 0.3 * spread), pivot[1] - 0.12),
            ],
            look.light,
        )
        canvas.line([tip, inner], 0.022, look.dark)
    for side in (-1.0, 1.0):
        center = (0.5 + side * (0.07 + loop_w), low)
        canvas.line(
            [(0.5 - side * 0.01, pivot[1] + 0.02), (center[0] - side * 0.6 * loop_w, low - 0.75 * loop_h)],
            0.075,
            look.body,
        )
        canvas.line(arc(center, (loop_w, loop_h), 0.0, 345.0, num=24), width, look.body, closed=True)
    canvas.ellipse(pivot, (0.035, 0.035), look.accent)


def _wrench(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    jaw = rng.uniform(0.17, 0.2)
    gap = rng.uniform(0.07, 0.09)
    ring_r = rng.uniform(0.12, 0.145)
    width = rng.uniform(0.1, 0.13)
    head, tail = (0.5, 0.05 + jaw), (0.5, 0.95 - ring_r)
    canvas.polygon(
        mirrored([(0.5 - 0.65 * width, head[1]), (0.5 - 0.45 * width, 0.5), (0.5 - 0.6 * width, tail[1])]),
        look.body,
    )
    canvas.ellipse(head, (jaw, jaw), look.body)
    canvas.ellipse(tail, (ring_r, ring_r), look.body)
    canvas.line([(0.5, head[1] + jaw + 0.06), (0.5, tail[1] - ring_r - 0.06)], 0.035, look.accent)
    lean = rng.uniform(0.02, 0.07)
    canvas.erase_polygon(
        [
            (0.5 - gap - lean, 0.0),
            (0.5 + gap - lean, 0.0),
            (0.5 + gap, head[1] + 0.02),
            (0.5, head[1] + 0.07),
            (0.5 - gap, head[1] + 0.02),
        ]
    )
    hole = 0.52 * ring_r
    canvas.erase_polygon(arc(tail, (hole, hole), 0.0, 300.0, num=6))


def _saw(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    heel = rng.uniform(0.3, 0.36)
    toe = rng.uniform(0.1, 0.15)
    num_teeth = int(rng.integers(8, 12))
    back, edge = 0.34, 0.34 + heel
    front = (0.95, back + 0.09)
    teeth: list[tuple[float, float]] = []
    for share in np.linspace(0.0, 1.0, 2 * num_teeth + 1)[:-1]:
        index = round(share * 2 * num_teeth)
        x = 0.26 + float(share) * (front[0] - 0.28)
        y = edge + float(share) * (front[1] + toe - edge)
        teeth.append((x, y - 0.045 if index % 2 else y))
    canvas.polygon([(0.24, back), front, (front[0] - 0.01, front[1] + toe), *reversed(teeth)], look.body)
    canvas.line([(0.34, back + 0.04), (0.86, front[1] + 0.02)], 0.025, look.light)
    grip = [(0.09, back - 0.05), (0.24, back - 0.07), (0.34, back + 0.01), (0.31, edge - 0.08)]
    canvas.blob([*grip, (0.27, edge + 0.02), (0.13, edge + 0.05), (0.06, edge - 0.08)], look.accent)
    middle = 0.5 * (back + edge)
    canvas.ellipse((0.29, back + 0.05), (0.02, 0.02), look.dark)
    canvas.erase_ellipse((0.175, middle), (0.055, 0.35 * heel), angle_deg=rng.uniform(-8.0, 8.0))


def _shovel(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.15, 0.19)
    shoulder = rng.uniform(0.54, 0.6)
    grip = rng.uniform(0.1, 0.13)
    width = rng.uniform(0.055, 0.07)
    canvas.line([(0.5, 0.2), (0.5, shoulder + 0.06)], width, look.accent)
    handle = [(0.5 - grip, 0.08), (0.5 + grip, 0.08), (0.5, 0.24)]
    canvas.line(handle, 0.045, look.accent, closed=True)
    canvas.line(handle[:2], 0.055, look.dark)
    blade = [
        (0.5 - 0.2 * half, shoulder),
        (0.5 - half, shoulder + 0.03),
        (0.5 - half, 0.76),
        (0.5 - 0.7 * half, 0.86),
    ]
    canvas.polygon(mirrored([*blade, (0.5, 0.95)]), look.body)
    canvas.line(
        [(0.5 - half + 0.02, shoulder + 0.035), (0.5 + half - 0.02, shoulder + 0.035)], 0.035, look.dark
    )
    canvas.line([(0.5, shoulder), (0.5, shoulder + 0.16)], 0.045, look.dark)


def _brush(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.16, 0.22)
    ferrule = rng.uniform(0.54, 0.6)
    waist = rng.uniform(0.04, 0.055)
    grip = rng.uniform(0.07, 0.085)
    tip = rng.uniform(0.9, 0.95)
    bristles = [(0.5 - half, ferrule + 0.12), (0.5 - half - 0.01, tip - 0.06), (0.5 - 0.6 * half, tip)]
    canvas.polygon(mirrored([*bristles, (0.5 - 0.25 * half, tip - 0.03), (0.5, tip)]), look.light)
    for share in (-0.5, 0.0, 0.5):
        canvas.line([(0.5 + share * half, ferrule + 0.16), (0.5 + share * half, tip - 0.09)], 0.02, look.dark)
    handle = [(0.5 - 0.6 * grip, 0.06), (0.5 - grip, 0.12), (0.5 - grip, 0.2), (0.5 - waist, 0.36)]
    handle += [(0.5 - 0.5 * half, ferrule - 0.06), (0.5 - half, ferrule + 0.02)]
    canvas.polygon(mirrored(handle), look.body)
    canvas.polygon(box(0.5 - half, ferrule, 0.5 + half, ferrule + 0.13), look.accent)
    canvas.line(
        [(0.5 - half + 0.02, ferrule + 0.065), (0.5 + half - 0.02, ferrule + 0.065)], 0.025, look.dark
    )
    canvas.erase_ellipse((0.5, 0.13), (0.03, 0.03))


def _ladder(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    foot = rng.uniform(0.2, 0.27)
    head = foot * rng.uniform(0.7, 1.0)
    width = rng.uniform(0.055, 0.075)
    num_rungs = int(rng.integers(5, 8))
    for y in np.linspace(0.15, 0.86, num_rungs):
        half = head + (foot - head) * (float(y) - 0.06) / 0.88
        canvas.line([(0.5 - half, float(y)), (0.5 + half, float(y))], rng.uniform(0.04, 0.055), look.body)
    for side in (-1.0, 1.0):
        canvas.line([(0.5 + side * head, 0.09), (0.5 + side * foot, 0.91)], width, look.body)
        canvas.line([(0.5 + side * foot, 0.9), (0.5 + side * foot, 0.915)], width + 0.015, look.accent)


KINDS: tuple[Kind, ...] = (
    Kind("brush", ("paintbrush", "paint brush"), _brush, novel=False),
    Kind("hammer", ("claw hammer",), _hammer, novel=False),
    Kind("key", ("door key",), _key, novel=False),
    Kind("ladder", ("stepladder",), _ladder, novel=True),
    Kind("saw", ("handsaw",), _saw, novel=False),
    Kind("scissors", ("shears", "pair of scissors"), _scissors, novel=True),
    Kind("shovel", ("spade",), _shovel, novel=False),
    Kind("wrench", ("spanner",), _wrench, novel=True),
)
