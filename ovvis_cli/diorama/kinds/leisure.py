"""Kinds to play with, to make music with, and to wear."""

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import Color, Look, Paint
from ovvis_cli.diorama.outlines import arc, box, mirrored


def _guitar(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    lower, upper = rng.uniform(0.24, 0.28), rng.uniform(0.165, 0.2)
    waist = rng.uniform(0.12, 0.145)
    shoulder = rng.uniform(0.5, 0.54)
    neck = rng.uniform(0.035, 0.045)
    side = [(0.5 - 0.4 * upper, shoulder), (0.5 - upper, shoulder + 0.08), (0.5 - waist, shoulder + 0.18)]
    side += [(0.5 - lower, shoulder + 0.29), (0.5 - 0.8 * lower, 0.91), (0.5 - 0.3 * lower, 0.94)]
    canvas.blob(mirrored(side), look.body)
    canvas.polygon(box(0.5 - neck, 0.16, 0.5 + neck, shoulder + 0.1), look.accent)
    canvas.polygon(mirrored([(0.5 - 1.9 * neck, 0.05), (0.5 - 1.3 * neck, 0.19)]), look.dark)
    for y in (0.085, 0.15):
        canvas.line([(0.5 - 2.5 * neck, y), (0.5 + 2.5 * neck, y)], 0.025, look.dark)
    hole = rng.uniform(0.055, 0.07)
    canvas.ellipse((0.5, shoulder + 0.15), (hole, hole), look.dark)
    canvas.line([(0.43, shoulder + 0.32), (0.57, shoulder + 0.32)], 0.04, look.dark)
    canvas.line([(0.5, 0.2), (0.5, shoulder + 0.32)], 0.02, look.light)


def _kite(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.24, 0.3)
    cross = rng.uniform(0.22, 0.27)
    low = rng.uniform(0.6, 0.66)
    middle = 0.46
    sway = rng.uniform(0.05, 0.09)
    tail = [(middle, low), (middle + sway, low + 0.1), (middle - sway, low + 0.18), (middle + sway, 0.93)]
    canvas.line(tail, 0.025, look.dark)
    for start, stop in zip(tail[:-1], tail[1:], strict=True):
        x, y = 0.5 * (start[0] + stop[0]), 0.5 * (start[1] + stop[1]) + 0.01
        canvas.polygon(
            [(x - 0.06, y - 0.03), (x + 0.06, y + 0.03), (x + 0.06, y - 0.03), (x - 0.06, y + 0.03)],
            look.accent,
        )
    top, right, bottom, left = (middle, 0.05), (middle + half, cross), (middle, low), (middle - half, cross)
    canvas.polygon([top, right, bottom, left], look.body)
    canvas.polygon([(middle, cross), right, bottom], look.accent)
    canvas.line([top, bottom], 0.022, look.dark)
    canvas.line([left, right], 0.022, look.dark)


def _drum(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.34, 0.4)
    top, bottom = rng.uniform(0.38, 0.44), rng.uniform(0.74, 0.82)
    tilt = rng.uniform(0.09, 0.12)
    foot = arc((0.5, bottom), (half, tilt), 0.0, 180.0)
    canvas.polygon([(0.5 - half, top), (0.5 + half, top), *foot], look.body)
    num_cords = 8
    cords = []
    for index in range(num_cords + 1):
        angle = 180.0 - 180.0 * index / num_cords
        center_y = bottom - 0.01 if index % 2 else top + 0.02
        cords.append(arc((0.5, center_y), (half - 0.01, tilt), angle, angle, num=2)[0])
    canvas.line(cords, 0.022, look.light)
    canvas.line(foot, 0.05, look.accent)
    canvas.ellipse((0.5, top), (half + 0.02, tilt + 0.02), look.accent)
    canvas.ellipse((0.5, top), (half - 0.025, tilt - 0.02), look.light)
    reach = rng.uniform(0.26, 0.34)
    for side in (-1.0, 1.0):
        canvas.line([(0.5 + side * 0.08, top - 0.02), (0.5 + side * reach, 0.1)], 0.035, look.dark)
        canvas.ellipse((0.5 + side * 0.08, top - 0.02), (0.035, 0.035), look.dark)


def _trumpet(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    flare = rng.uniform(0.13, 0.17)
    pipe = rng.uniform(0.42, 0.46)
    drop = rng.uniform(0.15, 0.19)
    width = rng.uniform(0.045, 0.055)
    left, right = 0.3, rng.uniform(0.66, 0.7)
    bend = [*arc((right, pipe + 0.5 * drop), (0.08, 0.5 * drop), 270.0, 450.0, num=10)]
    canvas.line(
        [(0.12, pipe), *bend, *arc((left, pipe + 0.5 * drop), (0.08, 0.5 * drop), 90.0, 270.0, num=10)],
        width,
        look.body,
    )
    canvas.polygon(
        [(0.06, pipe - 0.05), (0.09, pipe - 0.05), (0.16, pipe), (0.09, pipe + 0.05), (0.06, pipe + 0.05)],
        look.accent,
    )
    bell = [(0.55, pipe - 0.022), (0.75, pipe - 0.035), (0.85, pipe - 0.08), (0.92, pipe - flare)]
    canvas.polygon([*bell, *((x, 2.0 * pipe - y) for x, y in reversed(bell))], look.body)
    canvas.ellipse((0.92, pipe), (0.028, flare), look.accent)
    for index in range(3):
        x = 0.4 + 0.09 * index
        canvas.line([(x, pipe - 0.12), (x, pipe)], 0.03, look.dark)
        canvas.line([(x - 0.015, pipe - 0.13), (x + 0.015, pipe - 0.13)], 0.04, look.accent)
        canvas.polygon(box(x - 0.033, pipe - 0.05, x + 0.033, pipe + drop + 0.05, cut=0.01), look.body)
        canvas.line([(x - 0.02, pipe + drop + 0.03), (x + 0.02, pipe + drop + 0.03)], 0.022, look.dark)


def _ball(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.4, 0.45)
    turn = rng.uniform(0.0, 60.0)
    pole = (0.5 + rng.uniform(-0.09, 0.09), 0.5 - rng.uniform(0.1, 0.18))
    canvas.ellipse((0.5, 0.5), (radius, radius), look.body)
    bulge = rng.uniform(0.06, 0.1)
    paints: tuple[Paint | Color, ...] = (look.light, look.accent, look.light)
    for index, paint in enumerate(paints):
        start = turn + 120.0 * index
        rim = arc((0.5, 0.5), (radius, radius), start, start + 60.0, num=10)
        outward = [_bowed(pole, rim[0], share, bulge=bulge) for share in (0.0, 0.25, 0.5, 0.75)]
        inward = [_bowed(pole, rim[-1], share, bulge=bulge) for share in (0.75, 0.5, 0.25)]
        canvas.polygon([*outward, *rim, *inward], paint)
    canvas.ellipse(pole, (0.065, 0.065), look.light)
    canvas.line(arc(pole, (0.065, 0.065), 0.0, 345.0), 0.02, look.dark, closed=True)


def _bowed(
    start: tuple[float, float], stop: tuple[float, float], share: float, *, bulge: float
) -> tuple[float, float]:
    """Returns a point on the way between two points, moved sideways as a seam on a sphere is."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    sideways = 4.0 * share * (1.0 - share) * bulge
    return start[0] + share * dx - sideways * dy, start[1] + share * dy + sideways * dx


def _crown(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    base, flare = rng.uniform(0.34, 0.38), rng.uniform(0.02, 0.07)
    num_points = int(rng.choice((3, 5)))
    peak, valley = rng.uniform(0.18, 0.24), rng.uniform(0.46, 0.54)
    bottom = rng.uniform(0.78, 0.84)
    half = min(0.41, base + flare)
    tips = [
        (float(x), peak + 0.1 * abs(float(x) - 0.5) / half)
        for x in np.linspace(0.5 - half, 0.5 + half, num_points)
    ]
    outline: list[tuple[float, float]] = []
    for index, tip in enumerate(tips):
        outline.append(tip)
        if index + 1 < num_points:
            outline.append((0.5 * (tip[0] + tips[index + 1][0]), valley))
    canvas.polygon([*outline, (0.5 + base, bottom), *arc((0.5, bottom), (base, 0.06), 0.0, 180.0)], look.body)
    for tip in tips:
        canvas.ellipse(tip, (0.045, 0.045), look.accent)
    canvas.line(arc((0.5, bottom - 0.04), (base + 0.002, 0.06), 5.0, 175.0), 0.07, look.accent)
    for x in np.linspace(0.5 - 0.6 * base, 0.5 + 0.6 * base, 3):
        canvas.ellipse((float(x), bottom + 0.012), (0.032, 0.026), look.light)


def _hat(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    brim = rng.uniform(0.66, 0.74)
    half = rng.uniform(0.21, 0.26)
    height = rng.uniform(0.34, 0.46)
    flare = rng.uniform(0.0, 0.05)
    sag = rng.uniform(0.07, 0.1)
    canvas.ellipse((0.5, brim), (0.44, sag), look.body)
    top = brim - height
    canvas.polygon(
        [(0.5 - half - flare, top), *arc((0.5, brim), (half, 0.05), 180.0, 0.0), (0.5 + half + flare, top)],
        look.body,
    )
    canvas.ellipse((0.5, top), (half + flare, 0.055), look.body)
    canvas.line(arc((0.5, top), (half + flare - 0.02, 0.045), 0.0, 180.0), 0.02, look.dark)
    band = brim - 0.055
    canvas.line(arc((0.5, band), (half - 0.01, 0.05), 0.0, 180.0), rng.uniform(0.07, 0.1), look.accent)
    canvas.line(arc((0.5, brim), (0.42, sag - 0.02), 10.0, 170.0), 0.022, look.dark)


def _shoe(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    collar = rng.uniform(0.26, 0.34)
    ankle = rng.uniform(0.36, 0.42)
    sole = rng.uniform(0.07, 0.1)
    toe = rng.uniform(0.52, 0.57)
    upper = [(0.07, collar + 0.01), (0.2, collar + 0.05), (ankle, collar), (ankle + 0.12, collar + 0.13)]
    upper += [(0.68, toe - 0.05), (0.84, toe), (0.92, toe + 0.07), (0.94, 0.7), (0.08, 0.7), (0.1, 0.52)]
    canvas.polygon(upper, look.body)
    canvas.polygon(
        [(0.76, 0.7), (0.77, toe + 0.03), (0.84, toe), (0.92, toe + 0.07), (0.94, 0.7)], look.accent
    )
    canvas.polygon([(0.08, 0.7), (0.1, 0.52), (0.24, 0.54), (0.25, 0.7)], look.accent)
    canvas.polygon(box(0.06, 0.67, 0.95, 0.67 + sole, cut=0.03), look.light)
    canvas.line([(0.08, 0.67 + sole), (0.92, 0.67 + sole)], 0.025, look.dark)
    for share in (0.15, 0.5, 0.85):
        x = ankle + 0.03 + share * (0.64 - ankle)
        y = collar + 0.03 + share * (toe - collar - 0.04)
        canvas.line([(x - 0.06, y + 0.1), (x + 0.03, y + 0.01)], 0.028, look.light)
    canvas.line(
        [(0.09, collar + 0.03), (0.2, collar + 0.065), (ankle - 0.01, collar + 0.02)], 0.03, look.dark
    )


KINDS: tuple[Kind, ...] = (
    Kind("ball", ("beach ball",), _ball, novel=True),
    Kind("crown", ("coronet", "diadem"), _crown, novel=True),
    Kind("drum", ("snare drum",), _drum, novel=False),
    Kind("guitar", ("acoustic guitar",), _guitar, novel=False),
    Kind("hat", ("top hat", "brimmed hat"), _hat, novel=False),
    Kind("kite", ("paper kite",), _kite, novel=False),
    Kind("shoe", ("sneaker", "trainer"), _shoe, novel=False),
    Kind("trumpet", ("cornet", "bugle"), _trumpet, novel=True),
)
