"""Kinds that stand about in a home: furniture, vessels, small belongings."""

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import Look
from ovvis_cli.diorama.outlines import arc, box, mirrored


def _cup(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    top, bottom = rng.uniform(0.16, 0.24), rng.uniform(0.8, 0.88)
    left, right = 0.07, rng.uniform(0.68, 0.71)
    taper = rng.uniform(0.02, 0.09)
    tilt = rng.uniform(0.045, 0.07)
    middle, half = 0.5 * (left + right), 0.5 * (right - left)
    loop = (right - 0.5 * taper, 0.5 * (top + bottom) - 0.02)
    canvas.line(arc(loop, (0.19, rng.uniform(0.15, 0.19)), -100.0, 100.0), rng.uniform(0.06, 0.08), look.body)
    foot = arc((middle, bottom), (half - taper, 0.6 * tilt), 0.0, 180.0, num=12)
    canvas.polygon([(left, top), (right, top), *foot], look.body)
    canvas.ellipse((middle, top), (half, tilt), look.light)
    canvas.ellipse((middle, top + 0.008), (half - 0.03, tilt - 0.015), look.dark)
    band = rng.uniform(0.5, 0.68)
    canvas.line([(left + 0.6 * taper + 0.03, band), (right - 0.6 * taper - 0.03, band)], 0.05, look.accent)


def _umbrella(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    rim = rng.uniform(0.46, 0.54)
    height = rng.uniform(0.3, 0.36)
    hook = rng.uniform(0.06, 0.085)
    num_scallops = int(rng.choice((4, 5, 6)))
    end = 0.95 - hook
    canvas.line([(0.5, rim - height - 0.04), (0.5, rim)], 0.03, look.dark)
    canvas.line([(0.5, rim - 0.1), (0.5, end)], 0.035, look.dark)
    canvas.line(arc((0.5 - hook, end - 0.015), (hook, hook), 0.0, 190.0), 0.045, look.accent)
    canvas.polygon(arc((0.5, rim), (0.44, height), 180.0, 360.0, num=32), look.body)
    step = 0.88 / num_scallops
    sag = rng.uniform(0.04, 0.07)
    for index in range(num_scallops):
        left = 0.06 + index * step
        canvas.erase_polygon(arc((left + 0.5 * step, rim + 0.005), (0.5 * step, sag), 180.0, 360.0, num=12))
        if index:
            canvas.line(
                [(left, rim - 0.01), (0.5 + 0.45 * (left - 0.5), rim - 0.66 * height), (0.5, rim - height)],
                0.02,
                look.accent,
            )
    canvas.line([(0.5, rim - sag - 0.01), (0.5, rim + 0.1)], 0.035, look.dark)


def _chair(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    seat = rng.uniform(0.52, 0.58)
    top = rng.uniform(0.06, 0.12)
    lean = rng.uniform(0.0, 0.06)
    width = rng.uniform(0.05, 0.07)
    depth = rng.uniform(0.1, 0.14)
    left, right = 0.2, rng.uniform(0.66, 0.74)
    canvas.line([(left + depth, seat), (left + depth - 0.02, 0.82)], width, look.accent)
    canvas.line([(right + 0.02, seat), (right, 0.82)], width, look.accent)
    canvas.line([(left, seat + 0.04), (left - 0.03, 0.92)], width, look.body)
    canvas.line([(right - depth, seat + 0.05), (right - depth + 0.02, 0.92)], width, look.body)
    near = (left - lean, top + 0.06)
    far = (right - 0.06 - lean, top)
    posts = [[(left, seat), near], [(right - 0.06, seat), far]]
    for post in posts:
        canvas.line(post, width, look.body)
    for share in np.linspace(0.12, 0.6, int(rng.integers(2, 4))):
        start = (near[0] + share * (left - near[0]), near[1] + share * (seat - near[1]))
        stop = (far[0] + share * (right - 0.06 - far[0]), far[1] + share * (seat - far[1]))
        canvas.line([start, stop], 0.075, look.body)
    outline = [(left - 0.04, seat + 0.07), (left + 0.03, seat - 0.05)]
    outline += [(right + 0.06, seat - 0.06), (right, seat + 0.07)]
    canvas.polygon(outline, look.accent)
    canvas.line([(left - 0.03, seat + 0.075), (right, seat + 0.075)], 0.05, look.body)


def _lamp(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    top, rim = rng.uniform(0.06, 0.1), rng.uniform(0.44, 0.52)
    upper, lower = rng.uniform(0.12, 0.19), rng.uniform(0.3, 0.38)
    base = rng.uniform(0.17, 0.24)
    canvas.line([(0.5, rim - 0.05), (0.5, 0.9)], rng.uniform(0.035, 0.055), look.dark)
    canvas.blob(mirrored([(0.47, 0.62), (0.5 - rng.uniform(0.06, 0.1), 0.76), (0.46, 0.88)]), look.accent)
    canvas.polygon(arc((0.5, 0.95), (base, 0.09), 180.0, 360.0), look.accent)
    chain = 0.5 + 0.55 * lower
    canvas.line([(chain, rim), (chain, rim + 0.1)], 0.022, look.dark)
    canvas.ellipse((chain, rim + 0.12), (0.025, 0.03), look.accent)
    canvas.polygon(mirrored([(0.5 - upper, top), (0.5 - lower, rim)]), look.body)
    canvas.line([(0.5 - lower + 0.015, rim - 0.01), (0.5 + lower - 0.015, rim - 0.01)], 0.035, look.light)
    canvas.line([(0.5 - upper + 0.01, top + 0.01), (0.5 + upper - 0.01, top + 0.01)], 0.025, look.light)


def _bottle(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.14, 0.19)
    neck = rng.uniform(0.05, 0.065)
    shoulder = rng.uniform(0.38, 0.46)
    slope = rng.uniform(0.08, 0.16)
    side = [(0.5 - neck, 0.12), (0.5 - neck, shoulder - slope), (0.5 - 0.75 * half, shoulder - 0.35 * slope)]
    side += [(0.5 - half, shoulder), (0.5 - half, 0.92), (0.5 - half + 0.03, 0.95)]
    canvas.polygon(mirrored(side), look.body)
    label = rng.uniform(0.52, 0.58)
    canvas.polygon(box(0.5 - half, label, 0.5 + half, label + rng.uniform(0.16, 0.22)), look.light)
    canvas.line([(0.5 - 0.5 * half, label + 0.08), (0.5 + 0.5 * half, label + 0.08)], 0.04, look.accent)
    canvas.polygon(box(0.5 - neck - 0.02, 0.05, 0.5 + neck + 0.02, 0.13, cut=0.015), look.accent)
    canvas.line([(0.5 - neck, 0.17), (0.5 + neck, 0.17)], 0.025, look.dark)


def _clock(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.31, 0.35)
    bell = rng.uniform(0.1, 0.13)
    center = (0.5, 0.56)
    for side in (-1.0, 1.0):
        canvas.line([center, (0.5 + side * 0.27, 0.93)], 0.065, look.dark)
        canvas.line([center, (0.5 + side * 0.24, 0.22)], 0.04, look.dark)
        canvas.ellipse(
            (0.5 + side * 0.25, 0.21), (1.25 * bell, 0.85 * bell), look.accent, angle_deg=side * 42.0
        )
    canvas.line(
        [(0.4, 0.3), *arc((0.5, 0.2), (0.1, 0.11), 180.0, 360.0, num=10), (0.6, 0.3)], 0.04, look.dark
    )
    canvas.ellipse(center, (radius, radius), look.body)
    face = 0.68 * radius
    canvas.ellipse(center, (face, face), look.light)
    for x, y in arc(center, (0.82 * face, 0.82 * face), 0.0, 330.0, num=12):
        canvas.ellipse((x, y), (0.014, 0.014), look.dark)
    hour, minute = rng.uniform(0.0, 360.0, size=2)
    canvas.line([center, arc(center, (0.5 * face, 0.5 * face), hour, hour, num=2)[0]], 0.04, look.dark)
    canvas.line([center, arc(center, (0.75 * face, 0.75 * face), minute, minute, num=2)[0]], 0.028, look.dark)


def _teapot(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half_w, half_h = rng.uniform(0.24, 0.27), rng.uniform(0.21, 0.26)
    center = (0.48, 0.84 - half_h)
    spout = center[1] - rng.uniform(0.1, 0.16)
    right, left = center[0] + half_w, center[0] - half_w
    canvas.line(
        arc((left + 0.03, center[1] - 0.01), (left - 0.05, 0.75 * half_h), 80.0, 290.0), 0.06, look.accent
    )
    outline = [(right - 0.08, center[1] + 0.12), (right - 0.04, center[1] - 0.06), (0.87, spout - 0.02)]
    outline += [(0.95, spout - 0.01), (0.91, spout + 0.06)]
    canvas.polygon(outline, look.body)
    canvas.polygon(box(center[0] - 0.13, 0.8, center[0] + 0.13, 0.88, cut=0.02), look.accent)
    canvas.ellipse(center, (half_w, half_h), look.body)
    lid = center[1] - half_h
    canvas.polygon(arc((center[0], lid + 0.06), (0.14, 0.1), 180.0, 360.0), look.body)
    canvas.line([(center[0] - 0.14, lid + 0.06), (center[0] + 0.14, lid + 0.06)], 0.03, look.dark)
    canvas.ellipse((center[0], lid - 0.065), (0.04, 0.04), look.accent)
    canvas.line([(left + 0.05, center[1] + 0.07), (right - 0.05, center[1] + 0.07)], 0.03, look.light)


def _table(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    top = rng.uniform(0.28, 0.36)
    depth = rng.uniform(0.12, 0.17)
    skew = rng.uniform(0.08, 0.14)
    foot = rng.uniform(0.78, 0.85)
    width = rng.uniform(0.05, 0.075)
    for x in (0.07 + skew, 0.93 - skew):
        canvas.line([(x, top + depth), (x, foot - 0.1)], width, look.accent)
    canvas.polygon(
        [(0.07 + skew, top), (0.93 - skew, top), (0.95, top + depth), (0.05, top + depth)], look.body
    )
    canvas.polygon(box(0.05, top + depth, 0.95, top + depth + rng.uniform(0.05, 0.08)), look.accent)
    for x in (0.1, 0.9):
        canvas.line([(x, top + depth), (x, foot)], width, look.body)
    canvas.line([(0.07, top + depth), (0.93, top + depth)], 0.022, look.dark)


def _book(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    lean = rng.uniform(0.06, 0.14)
    thick = rng.uniform(0.1, 0.15)
    top, bottom = 0.1, rng.uniform(0.76, 0.82)
    left, right = 0.1, rng.uniform(0.68, 0.76)
    drop = (0.6 * thick, thick)
    outline = [(left, bottom), (left + drop[0], bottom + drop[1]), (right + drop[0], bottom + drop[1])]
    outline += [(right + lean + drop[0], top + drop[1]), (right + lean, top)]
    canvas.polygon(outline, look.body)
    pages = [(left + 0.02, bottom), (left + 0.8 * drop[0], bottom + drop[1] - 0.03)]
    pages += [
        (right + drop[0] - 0.03, bottom + drop[1] - 0.03),
        (right + lean + drop[0] - 0.03, top + drop[1]),
    ]
    canvas.polygon([*pages, (right + lean - 0.01, top + 0.02), (right, bottom)], look.light)
    edge = (right + 0.45 * drop[0], bottom + 0.45 * drop[1])
    canvas.line(
        [(left + 0.5 * drop[0] + 0.02, edge[1]), edge, (edge[0] + lean, top + 0.6 * drop[1])], 0.02, look.dark
    )
    cover = [(left + lean, top), (right + lean, top), (right, bottom), (left, bottom)]
    canvas.polygon(cover, look.body)
    canvas.line([(left + lean + 0.06, top + 0.01), (left + 0.06, bottom - 0.01)], 0.03, look.dark)
    label = [(0.36, 0.26), (0.62, 0.26), (0.6, 0.4), (0.34, 0.4)]
    canvas.polygon([(x + 0.3 * lean, y) for x, y in label], look.accent)
    canvas.line(
        [(left + lean + 0.06, top), (left + lean, top), (left, bottom), (left + drop[0], bottom + drop[1])],
        0.03,
        look.dark,
    )


def _bed(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    head, foot = rng.uniform(0.22, 0.32), rng.uniform(0.44, 0.5)
    mattress = rng.uniform(0.52, 0.55)
    width = rng.uniform(0.06, 0.08)
    canvas.polygon(box(0.1, 0.64, 0.9, 0.73), look.accent)
    canvas.polygon(box(0.1, mattress, 0.9, 0.65), look.light)
    fold = rng.uniform(0.34, 0.42)
    canvas.polygon([(fold, mattress - 0.05), (0.9, mattress - 0.03), (0.9, 0.69), (fold, 0.69)], look.body)
    canvas.line([(fold, mattress - 0.04), (fold, 0.68)], 0.035, look.dark)
    outline = [(0.13, mattress - 0.02), (0.2, mattress - 0.11), (0.32, mattress - 0.06)]
    outline += [(0.33, mattress + 0.02), (0.16, mattress + 0.03)]
    canvas.blob(outline, look.light)
    canvas.line([(0.15, mattress + 0.025), (0.31, mattress + 0.02)], 0.022, look.dark)
    canvas.line([(0.09, head), (0.09, 0.82)], width, look.body)
    canvas.line([(0.91, foot), (0.91, 0.82)], width, look.body)
    for x, y in ((0.09, head), (0.91, foot)):
        canvas.ellipse((x, y), (0.042, 0.042), look.accent)


def _vase(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    belly = rng.uniform(0.24, 0.3)
    widest = rng.uniform(0.44, 0.52)
    neck = rng.uniform(0.07, 0.1)
    lip = rng.uniform(0.14, 0.18)
    foot = rng.uniform(0.11, 0.15)
    for side in (-1.0, 1.0):
        start, stop = (0.5 + side * neck, 0.21), (0.5 + side * 0.85 * belly, widest - 0.1)
        canvas.line(
            [start, (0.5 + side * 0.9 * belly, 0.19), (0.5 + side * (belly + 0.04), 0.26), stop],
            0.04,
            look.accent,
        )
    side_points = [(0.5 - neck, 0.1), (0.5 - neck, 0.24)]
    side_points += [(0.5 - 0.8 * belly, widest - 0.12), (0.5 - belly, widest)]
    side_points += [(0.5 - 0.8 * belly, widest + 0.16), (0.5 - 0.7 * foot, 0.84)]
    canvas.blob(mirrored(side_points), look.body)
    canvas.polygon(mirrored([(0.5 - 0.7 * foot, 0.82), (0.5 - foot, 0.95)]), look.body)
    canvas.polygon(mirrored([(0.5 - lip, 0.06), (0.5 - neck, 0.15)]), look.body)
    canvas.line([(0.5 - lip + 0.01, 0.065), (0.5 + lip - 0.01, 0.065)], 0.035, look.accent)
    canvas.line([(0.5 - 0.93 * belly, widest), (0.5 + 0.93 * belly, widest)], 0.045, look.light)
    canvas.line([(0.5 - foot + 0.01, 0.94), (0.5 + foot - 0.01, 0.94)], 0.03, look.dark)


def _backpack(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.25, 0.29)
    top = rng.uniform(0.14, 0.19)
    pocket = rng.uniform(0.58, 0.63)
    canvas.line(arc((0.5, top + 0.02), (0.1, 0.1), 180.0, 360.0, num=12), 0.04, look.dark)
    for side in (-1.0, 1.0):
        strap = [(0.5 + side * (half - 0.04), top + 0.16), (0.5 + side * (half + 0.1), 0.46)]
        canvas.line(
            [*strap, (0.5 + side * (half + 0.1), 0.72), (0.5 + side * (half - 0.02), 0.84)], 0.05, look.dark
        )
    dome = arc((0.5, top + 0.2), (half, 0.2), 270.0, 180.0, num=10)
    canvas.polygon(mirrored([*dome, (0.5 - half - 0.02, 0.88), (0.5 - half + 0.03, 0.94)]), look.body)
    canvas.line(arc((0.5, top + 0.27), (half - 0.06, 0.16), 190.0, 350.0, num=12), 0.025, look.dark)
    canvas.polygon(box(0.5 - half + 0.06, pocket, 0.5 + half - 0.06, 0.9, cut=0.05), look.accent)
    canvas.line([(0.5 - half + 0.09, pocket + 0.08), (0.5 + half - 0.09, pocket + 0.08)], 0.025, look.dark)
    canvas.polygon(box(0.47, pocket + 0.06, 0.53, pocket + 0.16), look.light)


KINDS: tuple[Kind, ...] = (
    Kind("backpack", ("rucksack", "knapsack"), _backpack, novel=False),
    Kind("bed", ("bedstead", "single bed"), _bed, novel=False),
    Kind("book", ("hardcover", "textbook"), _book, novel=False),
    Kind("bottle", ("flask",), _bottle, novel=False),
    Kind("chair", ("dining chair", "wooden chair"), _chair, novel=True),
    Kind("clock", ("alarm clock", "timepiece"), _clock, novel=False),
    Kind("cup", ("mug", "coffee cup"), _cup, novel=False),
    Kind("lamp", ("table lamp", "desk lamp"), _lamp, novel=True),
    Kind("table", ("desk", "dining table"), _table, novel=False),
    Kind("teapot", ("kettle",), _teapot, novel=True),
    Kind("umbrella", ("parasol", "brolly"), _umbrella, novel=False),
    Kind("vase", ("urn", "amphora"), _vase, novel=True),
)
