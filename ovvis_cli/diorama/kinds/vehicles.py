"""Kinds that carry people: on wheels, on water, in the air; profiles face right."""

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import Look
from ovvis_cli.diorama.outlines import arc, box, mirrored, ring, star, wheel


def _skateboard(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.075, 0.105)
    deck_y = 0.47
    width = rng.uniform(0.07, 0.11)
    kick = rng.uniform(0.07, 0.13)
    inset = rng.uniform(0.22, 0.28)
    for x in (inset, 1.0 - inset):
        canvas.polygon([(x - 0.05, deck_y), (x + 0.05, deck_y), (x, deck_y + 0.17)], look.accent)
    for x in (inset, 1.0 - inset):
        wheel(canvas, (x, deck_y + 0.13 + 0.3 * radius), radius, look)
    deck = [(0.1, deck_y - kick), (0.19, deck_y), (0.81, deck_y), (0.9, deck_y - kick)]
    canvas.line(deck, width, look.body)
    canvas.line([(0.2, deck_y - 0.4 * width), (0.8, deck_y - 0.4 * width)], 0.025, look.dark)


def _car(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    roof = rng.uniform(0.24, 0.32)
    belt = rng.uniform(0.45, 0.49)
    front, back = rng.uniform(0.54, 0.64), rng.uniform(0.24, 0.34)
    radius = rng.uniform(0.09, 0.115)
    tail = rng.uniform(0.02, 0.14)
    shell = [(0.05, 0.67), (0.05, belt + 0.06), (tail + 0.02, belt)]
    shell += [(back - 0.06, belt - 0.01), (back + 0.05, roof)]
    shell += [(front, roof), (front + 0.14, belt), (0.9, belt + 0.05), (0.95, belt + 0.12), (0.95, 0.67)]
    canvas.polygon(shell, look.body)
    middle = 0.5 * (back + front) + 0.03
    pane_top = roof + 0.045
    rear_pane = [(back + 0.01, belt), (back + 0.075, pane_top)]
    rear_pane += [(middle - 0.02, pane_top), (middle - 0.02, belt)]
    front_pane = [(middle + 0.02, belt), (middle + 0.02, pane_top)]
    front_pane += [(front - 0.01, pane_top), (front + 0.08, belt)]
    canvas.polygon(rear_pane, look.light)
    canvas.polygon(front_pane, look.light)
    canvas.line([(0.06, 0.65), (0.94, 0.65)], 0.04, look.accent)
    canvas.ellipse((0.91, belt + 0.11), (0.035, 0.03), look.light)
    canvas.line([(middle + 0.05, belt + 0.06), (middle + 0.1, belt + 0.06)], 0.022, look.dark)
    for x in (0.24, 0.77):
        wheel(canvas, (x, 0.67), radius, look)


def _bus(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    top = rng.uniform(0.2, 0.28)
    num_windows = int(rng.integers(4, 7))
    radius = rng.uniform(0.07, 0.085)
    canvas.polygon(box(0.05, top, 0.95, 0.72, cut=0.05), look.body)
    sill = top + rng.uniform(0.18, 0.22)
    step = 0.7 / num_windows
    for index in range(num_windows):
        left = 0.08 + index * step
        canvas.polygon(box(left, top + 0.06, left + step - 0.025, sill), look.light)
    canvas.polygon(box(0.8, top + 0.06, 0.87, 0.69), look.dark)
    canvas.polygon(box(0.9, top + 0.06, 0.95, sill + 0.03), look.light)
    canvas.polygon(box(0.05, sill + 0.06, 0.78, sill + 0.1), look.accent)
    for x in (0.22, 0.7):
        wheel(canvas, (x, 0.73), radius, look)


def _bicycle(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.17, 0.2)
    back, front = (0.06 + radius, 0.62), (0.94 - radius, 0.62)
    crank = (0.5 * (back[0] + front[0]) - 0.03, 0.64)
    seat = (crank[0] - rng.uniform(0.07, 0.1), rng.uniform(0.32, 0.37))
    head = (front[0] - 0.07, seat[1] + 0.02)
    num_spokes = int(rng.integers(6, 9))
    for hub in (back, front):
        canvas.line(star(hub, radius, num_spokes, start_deg=rng.uniform(0.0, 40.0)), 0.02, look.light)
        ring(canvas, hub, radius, 0.045, paint=look.dark)
    canvas.line([back, seat, crank, back], 0.045, look.body)
    canvas.line([crank, head, (seat[0] + 0.01, seat[1] + 0.03)], 0.045, look.body)
    bar = head[1] - rng.uniform(0.08, 0.13)
    canvas.line([front, head, (head[0] - 0.025, bar)], 0.04, look.body)
    canvas.line(
        [(head[0] - 0.06, bar + 0.02), (head[0], bar), (head[0] + 0.06, bar + 0.01)], 0.035, look.dark
    )
    canvas.line([seat, (seat[0] - 0.02, seat[1] - 0.06)], 0.03, look.dark)
    canvas.line([(seat[0] - 0.08, seat[1] - 0.07), (seat[0] + 0.05, seat[1] - 0.065)], 0.05, look.accent)
    canvas.ellipse(crank, (0.05, 0.05), look.accent)
    canvas.line([(crank[0] - 0.05, crank[1] + 0.08), (crank[0] + 0.05, crank[1] - 0.08)], 0.025, look.dark)


def _boat(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    deck = rng.uniform(0.68, 0.74)
    mast = rng.uniform(0.46, 0.54)
    bow = rng.uniform(0.2, 0.27)
    canvas.line([(mast, 0.07), (mast, deck + 0.02)], 0.03, look.dark)
    boom = deck - rng.uniform(0.06, 0.09)
    clew = rng.uniform(0.12, 0.18)
    canvas.blob([(mast - 0.01, 0.12), (mast - 0.01, boom), (clew, boom), (mast - 0.2, 0.36)], look.body)
    canvas.polygon([(mast - 0.01, 0.1), (mast - 0.01, boom), (clew, boom)], look.body)
    canvas.polygon([(mast + 0.01, 0.15), (mast + 0.01, boom), (rng.uniform(0.76, 0.84), boom)], look.accent)
    canvas.line([(clew + 0.02, boom), (mast, boom)], 0.025, look.dark)
    hull = [(0.07, deck), (0.95, deck - 0.03), (0.95 - 0.5 * bow, 0.88)]
    hull += [(0.95 - bow, 0.93), (0.2, 0.93), (0.11, 0.86)]
    canvas.polygon(hull, look.body)
    canvas.line([(0.1, deck + 0.03), (0.9, deck + 0.01)], 0.04, look.light)


def _truck(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    top = rng.uniform(0.2, 0.27)
    cab_top = rng.uniform(0.32, 0.38)
    cab = rng.uniform(0.66, 0.7)
    radius = rng.uniform(0.075, 0.09)
    canvas.polygon(box(0.06, 0.66, 0.9, 0.72), look.dark)
    canvas.polygon(box(0.05, top, cab - 0.04, 0.66), look.body)
    canvas.line([(0.07, 0.62), (cab - 0.06, 0.62)], 0.03, look.accent)
    nose = rng.uniform(0.82, 0.85)
    front = [(cab, cab_top), (nose, cab_top), (nose + 0.05, 0.5), (0.95, 0.53), (0.95, 0.72), (cab, 0.72)]
    canvas.polygon(front, look.accent)
    pane = [(cab + 0.05, cab_top + 0.04), (nose - 0.015, cab_top + 0.04)]
    pane += [(nose + 0.02, 0.5), (cab + 0.05, 0.5)]
    canvas.polygon(pane, look.light)
    canvas.ellipse((0.93, 0.6), (0.025, 0.03), look.light)
    for x in (0.17, 0.36, 0.8):
        wheel(canvas, (x, 0.73), radius, look)


def _airplane(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    sweep = rng.uniform(0.14, 0.22)
    root = rng.uniform(0.5, 0.56)
    thick = rng.uniform(0.065, 0.085)
    fin = rng.uniform(0.18, 0.26)
    far = [(root - 0.1, 0.5), (root + 0.1, 0.5), (root - sweep + 0.02, 0.24), (root - sweep - 0.08, 0.24)]
    canvas.polygon(far, look.accent)
    canvas.polygon([(0.07, 0.5 - fin), (0.17, 0.5 - fin), (0.3, 0.47), (0.1, 0.48)], look.accent)
    fuselage = [(0.06, 0.46), (0.3, 0.5 - thick), (0.7, 0.5 - thick), (0.88, 0.48), (0.95, 0.53)]
    fuselage += [(0.86, 0.57), (0.6, 0.5 + 1.1 * thick), (0.3, 0.56)]
    canvas.blob(fuselage, look.body)
    canvas.polygon([(0.84, 0.475), (0.88, 0.48), (0.92, 0.51), (0.84, 0.51)], look.dark)
    for x in np.linspace(0.36, 0.76, int(rng.integers(5, 8))):
        canvas.ellipse((float(x), 0.485), (0.016, 0.018), look.light)
    span = rng.uniform(0.82, 0.9)
    near = [(root - 0.13, 0.53), (root + 0.11, 0.53)]
    near += [(root - sweep - 0.02, span), (root - sweep - 0.14, span)]
    canvas.polygon(near, look.body)
    canvas.line([near[0], near[3], near[2], near[1]], 0.02, look.dark)
    canvas.line([(root - 0.04, 0.68), (root + 0.07, 0.68)], 0.06, look.dark)
    canvas.polygon([(0.09, 0.49), (0.2, 0.5), (0.13, 0.6), (0.05, 0.6)], look.accent)


def _helicopter(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    hub = rng.uniform(0.58, 0.64)
    cabin_h = rng.uniform(0.15, 0.19)
    tilt = rng.uniform(-0.02, 0.02)
    tail_y = rng.uniform(0.43, 0.48)
    skid = 0.8
    for x in (hub - 0.1, hub + 0.12):
        canvas.line([(x, 0.58), (x + 0.02, skid)], 0.03, look.dark)
    canvas.line([(hub - 0.24, skid), (hub + 0.24, skid), (hub + 0.3, skid - 0.04)], 0.035, look.dark)
    canvas.polygon([(0.1, tail_y), (hub - 0.1, 0.42), (hub - 0.1, 0.6), (0.1, tail_y + 0.05)], look.body)
    canvas.polygon(
        [(0.05, tail_y - 0.13), (0.11, tail_y - 0.13), (0.18, tail_y + 0.05), (0.1, tail_y + 0.06)],
        look.accent,
    )
    canvas.line([(hub, 0.26), (hub, 0.4)], 0.04, look.dark)
    outline = [(hub - 0.2, 0.46), (hub, 0.53 - cabin_h), (hub + 0.2, 0.44)]
    outline += [(hub + 0.29, 0.58), (hub + 0.16, 0.54 + cabin_h), (hub - 0.12, 0.52 + cabin_h)]
    canvas.blob(outline, look.body)
    canvas.polygon(
        [(hub + 0.05, 0.43), (hub + 0.17, 0.44), (hub + 0.27, 0.57), (hub + 0.05, 0.57)], look.light
    )
    canvas.line([(hub - 0.12, 0.63), (hub + 0.16, 0.63)], 0.03, look.accent)
    canvas.line([(hub - 0.36, 0.25 + tilt), (min(hub + 0.36, 0.96), 0.25 - tilt)], 0.035, look.dark)
    canvas.ellipse((hub, 0.25), (0.045, 0.03), look.accent)
    ring(canvas, (0.1, tail_y), 0.055, 0.025, paint=look.dark)


def _train(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    boiler = rng.uniform(0.4, 0.46)
    cab = rng.uniform(0.32, 0.37)
    stack = rng.uniform(0.16, 0.22)
    canvas.polygon([(0.73, stack), (0.87, stack), (0.83, boiler + 0.02), (0.77, boiler + 0.02)], look.dark)
    canvas.ellipse((rng.uniform(0.52, 0.58), boiler + 0.01), (0.06, 0.08), look.accent)
    canvas.polygon(box(cab - 0.02, boiler, 0.9, 0.68, cut=0.04), look.body)
    canvas.polygon(box(0.09, 0.27, cab, 0.7), look.body)
    canvas.polygon(box(0.05, 0.2, cab + 0.04, 0.27, cut=0.02), look.accent)
    canvas.polygon(box(0.14, 0.32, cab - 0.05, 0.46), look.light)
    for x in (0.5, 0.66):
        canvas.line([(x, boiler + 0.01), (x, 0.66)], 0.025, look.accent)
    canvas.ellipse((0.9, boiler + 0.1), (0.03, 0.05), look.light)
    canvas.polygon(box(0.07, 0.66, 0.9, 0.72), look.dark)
    canvas.polygon([(0.84, 0.66), (0.9, 0.66), (0.97, 0.83), (0.82, 0.83)], look.accent)
    radius = rng.uniform(0.095, 0.115)
    centers = [(0.2, 0.84 - radius), (0.45, 0.84 - radius)]
    for center in centers:
        wheel(canvas, center, radius, look)
    wheel(canvas, (0.67, 0.77), 0.07, look)
    canvas.line([*centers, (0.67, 0.77)], 0.03, look.accent)


def _rocket(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.12, 0.16)
    base = rng.uniform(0.7, 0.76)
    fin = rng.uniform(0.12, 0.18)
    flame = rng.uniform(0.9, 0.95)
    canvas.polygon(
        mirrored([(0.5 - 0.6 * half, base), (0.5 - 0.7 * half, base + 0.08), (0.5, flame)]), look.light
    )
    left_fin = [(0.5 - half, 0.5), (0.5 - half - fin, base)]
    left_fin += [(0.5 - half - fin, base + 0.1), (0.5 - 0.5 * half, base)]
    canvas.polygon(left_fin, look.accent)
    canvas.polygon([(1.0 - x, y) for x, y in left_fin], look.accent)
    side = [(0.5, 0.05), (0.5 - 0.45 * half, 0.14), (0.5 - 0.85 * half, 0.26)]
    side += [(0.5 - half, 0.42), (0.5 - half, 0.56)]
    canvas.polygon(mirrored([*side, (0.5 - 0.7 * half, base)]), look.body)
    canvas.polygon(mirrored(side[:2]), look.accent)
    port = rng.uniform(0.34, 0.42)
    canvas.ellipse((0.5, port), (0.075, 0.075), look.dark)
    canvas.ellipse((0.5, port), (0.05, 0.05), look.light)
    canvas.polygon(mirrored([(0.5 - 0.7 * half, base - 0.02), (0.5 - 0.7 * half, base + 0.04)]), look.dark)


def _motorcycle(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.165, 0.19)
    back, front = (0.06 + radius, 0.66), (0.94 - radius, 0.66)
    for hub in (back, front):
        canvas.ellipse(hub, (radius, radius), look.dark)
        canvas.ellipse(hub, (0.58 * radius, 0.58 * radius), look.light)
        canvas.line(star(hub, 0.55 * radius, 5), 0.025, look.dark)
    bar = rng.uniform(0.24, 0.3)
    neck = (front[0] - 0.1, 0.4)
    canvas.line([front, neck, (neck[0] - 0.05, bar), (neck[0] - 0.14, bar + 0.01)], 0.045, look.dark)
    canvas.polygon([(0.36, 0.5), (neck[0], 0.45), (neck[0] - 0.06, 0.7), (0.4, 0.74)], look.accent)
    canvas.line([(0.48, 0.6), (neck[0] - 0.08, 0.6)], 0.025, look.light)
    canvas.line([(0.5, 0.72), (back[0] + 0.06, 0.73), (0.1, 0.69)], 0.05, look.light)
    seat = rng.uniform(0.42, 0.46)
    canvas.polygon(
        [(0.06, seat - 0.03), (0.3, seat), (0.5, seat + 0.01), (0.46, 0.56), (0.22, 0.54)], look.body
    )
    outline = [(0.38, seat + 0.05), (0.46, seat - 0.08), (neck[0] - 0.02, seat - 0.09)]
    outline += [(neck[0], 0.52), (0.44, 0.56)]
    canvas.blob(outline, look.body)
    canvas.line([(0.12, seat - 0.03), (0.3, seat), (0.42, seat)], 0.05, look.dark)
    canvas.ellipse((neck[0] + 0.05, 0.36), (0.05, 0.055), look.light)
    canvas.line(arc(front, (radius + 0.01, radius + 0.01), 230.0, 310.0, num=8), 0.035, look.body)


def _balloon(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    half = rng.uniform(0.3, 0.35)
    mouth = rng.uniform(0.66, 0.7)
    basket = rng.uniform(0.07, 0.09)
    for x in (-1.0, 1.0):
        canvas.line([(0.5 + x * 0.1, mouth - 0.02), (0.5 + x * 0.8 * basket, 0.85)], 0.022, look.dark)
    dome = arc((0.5, 0.36), (half, 0.31), 270.0, 150.0, num=14)
    envelope = mirrored([*dome, (0.39, mouth)])
    canvas.polygon(envelope, look.body)
    for share in (0.58, 0.22):
        gore = [(0.5 + (x - 0.5) * share, y) for x, y in envelope]
        canvas.polygon(gore, look.accent if share > 0.5 else look.body)
    canvas.polygon(mirrored([(0.385, mouth - 0.03), (0.395, mouth + 0.01)]), look.dark)
    canvas.polygon(mirrored([(0.5 - basket, 0.82), (0.5 - 0.85 * basket, 0.95)]), look.dark)
    canvas.line([(0.5 - basket, 0.83), (0.5 + basket, 0.83)], 0.03, look.accent)


KINDS: tuple[Kind, ...] = (
    Kind("airplane", ("aeroplane", "plane", "jet"), _airplane, novel=False),
    Kind("balloon", ("hot air balloon", "aerostat"), _balloon, novel=False),
    Kind("bicycle", ("bike", "cycle"), _bicycle, novel=False),
    Kind("boat", ("sailing boat", "sailboat", "yacht"), _boat, novel=True),
    Kind("bus", ("coach", "omnibus"), _bus, novel=False),
    Kind("car", ("automobile", "sedan"), _car, novel=False),
    Kind("helicopter", ("chopper", "rotorcraft"), _helicopter, novel=True),
    Kind("motorcycle", ("motorbike",), _motorcycle, novel=True),
    Kind("rocket", ("spaceship", "spacecraft"), _rocket, novel=False),
    Kind("skateboard", ("longboard",), _skateboard, novel=False),
    Kind("train", ("locomotive", "steam engine"), _train, novel=False),
    Kind("truck", ("lorry", "freight truck"), _truck, novel=True),
)
