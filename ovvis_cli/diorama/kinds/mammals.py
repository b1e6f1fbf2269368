"""How mammals are drawn; all of them face right."""

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.parts import around, eye, limb
from ovvis_cli.diorama.look import Look, Paint


def draw_dog(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw it standing: muzzle with a dark nose, floppy ear, raised tail, four legs."""
    back, belly = rng.uniform(0.42, 0.47), rng.uniform(0.62, 0.69)
    leg, muzzle, ear = rng.uniform(0.07, 0.1), rng.uniform(0.9, 0.95), rng.uniform(0.14, 0.22)
    tail = rng.uniform(0.14, 0.28)
    head_y = rng.uniform(0.27, 0.32)
    _legs(canvas, look.body, xs=(0.25, 0.65), far_shift=0.09, top=belly - 0.08, foot=0.94, width=leg)
    limb(canvas, [(0.22, back + 0.07), (0.1, back - 0.05), (0.07, tail)], (0.08, 0.04), look.body)
    canvas.blob([(0.17, back + 0.06), (0.3, back), (0.6, back), (0.71, 0.5), (0.68, belly),
                 (0.45, belly - 0.02), (0.22, belly)], look.body)  # fmt: skip
    limb(canvas, [(0.62, 0.52), (0.72, head_y + 0.03)], (0.2, 0.16), look.body)
    canvas.ellipse((0.74, head_y), (0.115, 0.11), look.body)
    limb(canvas, [(0.78, head_y + 0.04), (muzzle - 0.05, head_y + 0.06)], (0.13, 0.09), look.body)
    canvas.ellipse((muzzle - 0.02, head_y + 0.035), (0.03, 0.027), look.dark)
    limb(canvas, [(0.67, head_y - 0.06), (0.64, head_y + ear)], (0.06, 0.11), look.accent)
    eye(canvas, look, (0.78, head_y - 0.03), radius=0.026)
    canvas.line([(0.6, 0.46), (0.73, 0.5)], 0.03, look.accent)


def draw_cat(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw it sitting, face to the viewer: pointed ears, whiskers, a long curled tail."""
    head, hip = rng.uniform(0.15, 0.18), rng.uniform(0.2, 0.25)
    ear, sway = rng.uniform(0.13, 0.19), rng.uniform(-0.04, 0.04)
    x, y = 0.6, 0.31
    limb(
        canvas,
        [(0.5, 0.88), (0.22, 0.9), (0.11, 0.75 + sway), (0.16, 0.56 + sway), (0.12, 0.42)],
        (0.09, 0.055),
        look.body,
    )
    canvas.blob([(x - 0.1, 0.4), (x + 0.1, 0.4), (x + 0.13, 0.62), (x + hip - 0.03, 0.85), (x + 0.12, 0.94),
                 (x - 0.14, 0.94), (x - hip, 0.83), (x - 0.16, 0.6)], look.body)  # fmt: skip
    for side in (-1, 1):
        tip = (x + side * head * 0.92, y - head - ear * 0.7)
        canvas.polygon(
            [(x + side * head * 0.98, y - 0.02), tip, (x + side * 0.02, y - head * 0.85)], look.body
        )
        inner = (x + side * head * 0.82, y - head - ear * 0.35)
        canvas.polygon(
            [(x + side * head * 0.82, y - 0.06), inner, (x + side * 0.06, y - head * 0.8)], look.accent
        )
    canvas.ellipse((x, y), (head * 1.1, head * 0.95), look.body)
    for side in (-1, 1):
        canvas.ellipse((x + side * 0.07, y - 0.02), (0.033, 0.038), look.light)
        canvas.ellipse((x + side * 0.07, y - 0.02), (0.013, 0.034), look.dark)
        for slope in (-0.02, 0.03):
            canvas.line(
                [(x + side * 0.05, y + 0.06), (x + side * (head + 0.09), y + 0.05 + slope)], 0.01, look.light
            )
        canvas.ellipse((x + side * 0.07, 0.93), (0.065, 0.035), look.body.shaded(0.85))
    canvas.polygon([(x - 0.025, y + 0.04), (x + 0.025, y + 0.04), (x, y + 0.07)], look.dark)
    canvas.line([(x, 0.66), (x, 0.9)], 0.012, look.dark)


def draw_horse(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw it standing: arched neck with a mane, long head, long thin legs, a tail that hangs."""
    belly, leg = rng.uniform(0.58, 0.62), rng.uniform(0.05, 0.07)
    tail, nose_y = rng.uniform(0.7, 0.82), rng.uniform(0.26, 0.33)
    head = (0.76, rng.uniform(0.13, 0.17))
    limb(canvas, [(0.2, 0.46), (0.09, 0.54), (0.1, tail)], (0.06, 0.1), look.accent)
    _legs(
        canvas, look.body, xs=(0.25, 0.61), far_shift=0.08, top=belly - 0.1, foot=0.95, width=leg, hoof=look
    )
    canvas.blob([(0.16, 0.46), (0.27, 0.4), (0.45, 0.43), (0.6, 0.39), (0.68, 0.48), (0.65, belly),
                 (0.42, belly), (0.2, belly - 0.01)], look.body)  # fmt: skip
    limb(canvas, [(0.55, 0.41), (0.64, 0.26), (0.7, head[1] - 0.03)], (0.12, 0.07), look.accent)
    limb(canvas, [(0.6, 0.5), (0.68, 0.3), head], (0.23, 0.12), look.body)
    canvas.polygon([(0.71, 0.13), (0.735, 0.03), (0.79, 0.11)], look.body)
    limb(canvas, [head, (0.92, nose_y)], (0.14, 0.085), look.body)
    canvas.ellipse((0.925, nose_y - 0.01), (0.014, 0.014), look.dark)
    eye(canvas, look, (0.79, head[1] + 0.01), radius=0.021)


def draw_rabbit(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw it crouching: two long upright ears, round rump, a ball of a tail."""
    ear_y, lean = rng.uniform(0.05, 0.12), rng.uniform(-0.05, 0.03)
    rump = rng.uniform(0.25, 0.29)
    canvas.ellipse((0.12, 0.74), (0.085, 0.085), look.light)
    for shift, paint in ((-0.07, look.body.shaded(0.8)), (0.03, look.body)):
        limb(canvas, [(0.69 + shift, 0.42), (0.66 + shift + lean, ear_y + 0.05)], (0.08, 0.105), paint)
    limb(canvas, [(0.71, 0.38), (0.69 + lean, ear_y + 0.09)], (0.03, 0.045), look.accent)
    canvas.ellipse((0.38, 0.68), (rump, 0.25), look.body)
    canvas.ellipse((0.56, 0.7), (0.2, 0.2), look.body)
    limb(canvas, [(0.6, 0.76), (0.66, 0.9)], (0.11, 0.07), look.body)
    canvas.ellipse((0.69, 0.91), (0.08, 0.035), look.body.shaded(0.85))
    canvas.ellipse((0.36, 0.91), (0.19, 0.04), look.body.shaded(0.85))
    canvas.ellipse((0.73, 0.5), (0.16, 0.135), look.body)
    canvas.ellipse((0.85, 0.54), (0.07, 0.06), look.body)
    canvas.ellipse((0.905, 0.52), (0.022, 0.018), look.dark)
    eye(canvas, look, (0.76, 0.46), radius=0.032)
    canvas.line([around((0.36, 0.76), 0.13, angle) for angle in range(-110, 61, 17)], 0.014, look.dark)


def draw_elephant(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a massive body on pillar legs, a big fan ear, a long trunk and a tusk."""
    leg, ear = rng.uniform(0.11, 0.14), rng.uniform(0.15, 0.19)
    tip = (rng.uniform(0.9, 0.95), rng.uniform(0.72, 0.84))
    canvas.line([(0.12, 0.4), (0.07, 0.5), (0.07, 0.66)], 0.025, look.body)
    _legs(canvas, look.body, xs=(0.2, 0.53), far_shift=0.14, top=0.6, foot=0.92, width=leg)
    canvas.blob(
        [
            (0.1, 0.45),
            (0.2, 0.26),
            (0.4, 0.2),
            (0.6, 0.25),
            (0.68, 0.5),
            (0.62, 0.72),
            (0.35, 0.74),
            (0.13, 0.7),
        ],
        look.body,
    )
    limb(canvas, [(0.77, 0.4), (0.86, 0.55), (0.855, 0.72), tip], (0.19, 0.065), look.body)
    canvas.ellipse((0.72, 0.36), (0.17, 0.17), look.body)
    limb(canvas, [(0.77, 0.52), (0.8, 0.63), (0.92, 0.63)], (0.045, 0.015), look.light)
    canvas.ellipse((0.6, 0.4), (ear, 0.2), look.body.shaded(0.7), angle_deg=12)
    canvas.ellipse((0.6, 0.4), (ear * 0.72, 0.145), look.accent, angle_deg=12)
    eye(canvas, look, (0.81, 0.34), radius=0.024)


def draw_giraffe(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a neck longer than the sloping body, little horns, stilts of legs."""
    x = rng.uniform(0.68, 0.74)
    leg, neck = rng.uniform(0.04, 0.055), rng.uniform(0.085, 0.11)
    shoulder = rng.uniform(0.46, 0.52)
    canvas.line([(0.24, 0.56), (0.18, 0.62), (0.17, 0.74)], 0.02, look.body)
    canvas.ellipse((0.17, 0.75), (0.022, 0.035), look.dark)
    _legs(canvas, look.body, xs=(0.29, 0.54), far_shift=0.06, top=0.62, foot=0.95, width=leg, hoof=look)
    canvas.blob([(0.23, 0.58), (0.33, 0.53), (0.53, shoulder - 0.02), (0.62, shoulder + 0.06), (0.58, 0.68),
                 (0.4, 0.69), (0.26, 0.67)], look.body)  # fmt: skip
    limb(canvas, [(0.54, shoulder + 0.06), (0.62, 0.3), (x, 0.13)], (neck + 0.06, neck - 0.02), look.body)
    canvas.line([(0.5, shoulder), (0.575, 0.31), (x - 0.04, 0.13)], 0.026, look.accent)
    for shift in (-0.03, 0.015):
        canvas.line([(x + shift, 0.13), (x + shift - 0.005, 0.06)], 0.018, look.body.shaded(0.8))
        canvas.ellipse((x + shift - 0.005, 0.055), (0.017, 0.017), look.dark)
    canvas.polygon([(x - 0.02, 0.12), (x - 0.11, 0.1), (x - 0.03, 0.165)], look.body)
    limb(canvas, [(x, 0.135), (x + 0.15, 0.19)], (0.1, 0.065), look.body)
    eye(canvas, look, (x + 0.025, 0.125), radius=0.02)


def draw_pig(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a barrel on short legs with a disc of a snout and a curly tail."""
    height, leg = rng.uniform(0.2, 0.24), rng.uniform(0.09, 0.11)
    curl = [(0.15, 0.46), (0.08, 0.43), (0.06, 0.36), (0.11, 0.33), (0.13, 0.38), (0.06, 0.42), (0.04, 0.36)]
    canvas.line(curl, 0.024, look.body)
    _legs(canvas, look.body, xs=(0.25, 0.57), far_shift=0.12, top=0.6, foot=0.87, width=leg, hoof=look)
    canvas.ellipse((0.43, 0.52), (0.33, height), look.body)
    canvas.ellipse((0.73, 0.46), (0.17, 0.165), look.body)
    limb(canvas, [(0.8, 0.5), (0.9, 0.51)], (0.17, 0.14), look.body)
    canvas.ellipse((0.93, 0.51), (0.038, 0.08), look.accent)
    for y in (0.48, 0.54):
        canvas.ellipse((0.935, y), (0.011, 0.016), look.dark)
    for shift, paint in ((0.09, look.body.shaded(0.75)), (0.0, look.accent)):
        canvas.polygon([(0.6 + shift, 0.35), (0.66 + shift, 0.19), (0.73 + shift, 0.33)], paint)
    eye(canvas, look, (0.78, 0.42), radius=0.025)


def draw_whale(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a blunt head, pale belly, a raised fluke and a spout."""
    top, spout = rng.uniform(0.38, 0.42), rng.uniform(0.08, 0.14)
    fluke = rng.uniform(0.28, 0.36)
    for side in (-1, 1):
        limb(canvas, [(0.7, 0.46), (0.7, 0.27), (0.7 + side * 0.05, spout + 0.03),
                      (0.7 + side * 0.14, spout + 0.06)], (0.03, 0.045), look.accent)  # fmt: skip
    canvas.blob([(0.15, fluke + 0.1), (0.04, fluke + 0.03), (0.05, fluke - 0.08), (0.15, fluke - 0.02),
                 (0.25, fluke - 0.09), (0.27, fluke + 0.02)], look.body)  # fmt: skip
    limb(canvas, [(0.155, fluke), (0.2, 0.58), (0.4, 0.68)], (0.07, 0.3), look.body)
    canvas.blob([(0.3, 0.52), (0.5, top + 0.02), (0.75, top), (0.93, 0.52), (0.94, 0.7), (0.8, 0.83),
                 (0.5, 0.85), (0.3, 0.78)], look.body)  # fmt: skip
    canvas.blob([(0.95, 0.67), (0.8, 0.84), (0.5, 0.86), (0.34, 0.79), (0.6, 0.75)], look.light)
    canvas.blob([(0.55, 0.7), (0.64, 0.72), (0.56, 0.9), (0.44, 0.93)], look.body.shaded(0.75))
    eye(canvas, look, (0.8, 0.6), radius=0.026)


def _legs(
    canvas: Canvas,
    paint: Paint,
    *,
    xs: tuple[float, float],
    far_shift: float,
    top: float,
    foot: float,
    width: float,
    hoof: Look | None = None,
) -> None:
    """Draw hind and fore legs at `xs`; the far pair is darker and `far_shift` further right."""
    end = foot - width / 2
    for shift, leg_paint in ((far_shift, paint.shaded(0.72)), (0.0, paint)):
        for x in xs:
            limb(canvas, [(x + shift, top), (x + shift, end)], (width * 1.35, width), leg_paint)
            if hoof is not None:
                corner = width * 0.6
                canvas.polygon([(x + shift - corner * 0.8, foot - 0.045),
                                (x + shift + corner * 0.8, foot - 0.045), (x + shift + corner, foot),
                                (x + shift - corner, foot)], hoof.dark)  # fmt: skip
