"""How birds, water animals, reptiles and insects are drawn."""

import math

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.parts import around, eye, limb
from ovvis_cli.diorama.look import Look


def draw_fish(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw an oval with a forked tail, fins above and below, a gill line."""
    height, fork = rng.uniform(0.18, 0.27), rng.uniform(0.15, 0.24)
    fin = rng.uniform(0.1, 0.16)
    y = 0.52
    canvas.polygon([(0.32, y), (0.05, y - fork), (0.13, y), (0.05, y + fork)], look.accent)
    canvas.blob([(0.4, y - height * 0.7), (0.38, y - height - fin), (0.55, y - height - fin * 0.8),
                 (0.72, y - height * 0.7)], look.accent)  # fmt: skip
    canvas.polygon([(0.5, y + height * 0.8), (0.4, y + height + fin), (0.65, y + height * 0.8)], look.accent)
    canvas.blob([(0.22, y), (0.4, y - height * 0.8), (0.62, y - height), (0.83, y - height * 0.7),
                 (0.95, y), (0.83, y + height * 0.7), (0.62, y + height),
                 (0.4, y + height * 0.8)], look.body)  # fmt: skip
    canvas.line([around((0.58, y), 0.17, angle) for angle in range(-48, 49, 12)], 0.018, look.dark)
    canvas.polygon([(0.6, y + 0.03), (0.44, y - 0.03), (0.45, y + 0.12)], look.accent)
    eye(canvas, look, (0.83, y - 0.06), radius=0.035)
    canvas.line([(0.87, y + 0.07), (0.93, y + 0.05)], 0.015, look.dark)


def draw_bird(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a songbird on thin legs: short neck, pointed beak, long tail, a folded wing."""
    tail, drop = rng.uniform(0.06, 0.1), rng.uniform(0.6, 0.72)
    plump, head = rng.uniform(0.19, 0.23), rng.uniform(0.12, 0.14)
    for x in (0.46, 0.56):
        canvas.line([(x, 0.66), (x + 0.02, 0.9)], 0.025, look.dark)
        canvas.line([(x - 0.03, 0.92), (x + 0.02, 0.9), (x + 0.09, 0.92)], 0.022, look.dark)
    canvas.polygon(
        [(0.3, 0.5), (tail, drop - 0.03), (tail + 0.04, drop + 0.06), (0.4, 0.64)], look.body.shaded(0.75)
    )
    canvas.ellipse((0.48, 0.52), (0.27, plump), look.body, angle_deg=-18)
    canvas.polygon([(0.78, 0.26), (0.95, 0.33), (0.78, 0.37)], look.accent)
    canvas.ellipse((0.7, 0.31), (head, head), look.body)
    canvas.blob([(0.6, 0.45), (0.5, 0.62), (0.22, 0.64), (0.36, 0.47), (0.48, 0.39)], look.accent)
    eye(canvas, look, (0.74, 0.28), radius=0.03)


def draw_duck(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a boat of a body with an upturned tail, an S of a neck, a flat bill, webbed feet."""
    head_y, bill = rng.uniform(0.17, 0.24), rng.uniform(0.92, 0.95)
    tail, neck = rng.uniform(0.42, 0.5), rng.uniform(0.12, 0.15)
    for x in (0.38, 0.52):
        canvas.line([(x, 0.78), (x, 0.89)], 0.03, look.accent)
        canvas.polygon([(x - 0.03, 0.87), (x + 0.12, 0.93), (x - 0.05, 0.93)], look.accent)
    canvas.blob([(0.05, tail), (0.2, 0.58), (0.45, 0.53), (0.66, 0.52), (0.74, 0.66), (0.62, 0.8),
                 (0.38, 0.83), (0.15, 0.72)], look.body)  # fmt: skip
    limb(canvas, [(0.62, 0.64), (0.67, 0.46), (0.62, 0.34), (0.68, head_y + 0.02)], (0.2, neck), look.body)
    canvas.blob([(0.76, head_y - 0.03), (0.86, head_y + 0.01), (bill, head_y + 0.02),
                 (bill - 0.03, head_y + 0.07), (0.76, head_y + 0.08)], look.accent)  # fmt: skip
    canvas.ellipse((0.69, head_y), (0.12, 0.11), look.body)
    canvas.blob([(0.58, 0.6), (0.5, 0.73), (0.3, 0.73), (0.17, 0.62), (0.38, 0.57)], look.body.shaded(0.7))
    eye(canvas, look, (0.73, head_y - 0.03), radius=0.026)


def draw_owl(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw an upright egg with ear tufts, two huge eyes, folded wings and claws; faces the viewer."""
    width, tuft = rng.uniform(0.26, 0.31), rng.uniform(0.06, 0.1)
    eye_radius = rng.uniform(0.11, 0.13)
    for side in (-1, 1):
        canvas.polygon(
            [(0.5 + side * 0.24, tuft), (0.5 + side * 0.04, 0.18), (0.5 + side * width, 0.36)], look.body
        )
        for toe in (-0.05, 0.0, 0.05):
            canvas.line([(0.5 + side * 0.11, 0.87), (0.5 + side * 0.11 + toe, 0.93)], 0.03, look.dark)
    canvas.blob([(0.5, 0.14), (0.5 + width * 0.9, 0.22), (0.5 + width, 0.55), (0.5 + width * 0.7, 0.84),
                 (0.5, 0.91), (0.5 - width * 0.7, 0.84), (0.5 - width, 0.55),
                 (0.5 - width * 0.9, 0.22)], look.body)  # fmt: skip
    canvas.ellipse((0.5, 0.68), (width * 0.6, 0.19), look.accent)
    for side in (-1, 1):
        limb(canvas, [(0.5 + side * width * 0.92, 0.47), (0.5 + side * width, 0.62),
                      (0.5 + side * width * 0.75, 0.82)], (0.15, 0.05), look.body.shaded(0.7))  # fmt: skip
        center = (0.5 + side * 0.12, 0.32)
        canvas.ellipse(center, (eye_radius, eye_radius), look.light)
        canvas.ellipse(center, (eye_radius * 0.5, eye_radius * 0.5), look.dark)
    canvas.polygon([(0.45, 0.37), (0.55, 0.37), (0.5, 0.48)], look.dark)


def draw_penguin(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw an upright torpedo: pale belly, flippers held off the sides, beak to the right, two feet."""
    width, spread = rng.uniform(0.19, 0.24), rng.uniform(0.06, 0.16)
    for side in (-1, 1):
        canvas.ellipse((0.52 + side * 0.1, 0.91), (0.1, 0.04), look.accent)
        limb(canvas, [(0.5 + side * (width - 0.03), 0.42), (0.5 + side * (width + spread * 0.7), 0.56),
                      (0.5 + side * (width + spread), 0.7)], (0.1, 0.045), look.body)  # fmt: skip
    canvas.polygon([(0.6, 0.15), (0.76, 0.22), (0.6, 0.25)], look.accent)
    canvas.blob([(0.5, 0.06), (0.61, 0.11), (0.635, 0.22), (0.5 + width * 0.9, 0.45), (0.5 + width, 0.68),
                 (0.64, 0.89), (0.5, 0.91), (0.36, 0.89), (0.5 - width, 0.68), (0.5 - width * 0.9, 0.45),
                 (0.37, 0.22), (0.39, 0.11)], look.body)  # fmt: skip
    canvas.ellipse((0.53, 0.62), (width * 0.68, 0.24), look.light)
    eye(canvas, look, (0.56, 0.16), radius=0.028)


def draw_turtle(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a domed shell with plates over four stumps, head out to the right."""
    top, rim = rng.uniform(0.24, 0.32), rng.uniform(0.62, 0.66)
    head_y = rng.uniform(0.42, 0.52)
    limb(canvas, [(0.15, rim), (0.05, rim + 0.06)], (0.07, 0.02), look.accent)
    for x, lean in ((0.24, -0.03), (0.6, 0.04)):
        limb(canvas, [(x + 0.1, rim), (x + 0.1 + lean, 0.77)], (0.12, 0.1), look.accent.shaded(0.75))
        limb(canvas, [(x, rim), (x + lean, 0.79)], (0.13, 0.11), look.accent)
    limb(canvas, [(0.68, rim - 0.02), (0.78, rim - 0.04), (0.84, head_y)], (0.13, 0.1), look.accent)
    canvas.ellipse((0.86, head_y), (0.09, 0.07), look.accent)
    eye(canvas, look, (0.89, head_y - 0.02), radius=0.024)
    center, radii = (0.43, rim), (0.35, rim - top)
    canvas.ellipse(center, radii, look.body, start_deg=180, end_deg=360)
    for middle, outer in ((230, 215), (310, 325)):
        seam = []
        for reach, angle in ((0.5, math.radians(middle)), (1.0, math.radians(outer))):
            seam.append((0.43 + radii[0] * reach * math.cos(angle), rim + radii[1] * reach * math.sin(angle)))
        canvas.line(seam, 0.016, look.dark)
    plate = [(0.27, rim - 0.02), (0.28, rim - radii[1] * 0.5), (0.43, rim - radii[1] * 0.68),
             (0.58, rim - radii[1] * 0.5), (0.59, rim - 0.02)]  # fmt: skip
    canvas.line(plate, 0.016, look.dark)
    limb(canvas, [(0.1, rim), (0.76, rim)], (0.06, 0.06), look.body.shaded(0.7))


def draw_snake(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw waves from a pointed tail to an oval head with a forked tongue."""
    swing, width = rng.uniform(0.16, 0.24), rng.uniform(0.12, 0.15)
    waves = rng.uniform(1.25, 1.5)
    xs = np.linspace(0.07, 0.76, 13)
    ys = 0.55 + swing * np.sin(2 * np.pi * waves * (xs - 0.76) / 0.69)
    limb(canvas, list(zip(xs.tolist(), ys.tolist(), strict=True)), (0.02, width), look.body)
    x, y = 0.79, float(ys[-1]) + 0.02
    canvas.line([(x + 0.05, y), (x + 0.13, y), (x + 0.16, y - 0.03)], 0.014, look.accent)
    canvas.line([(x + 0.13, y), (x + 0.16, y + 0.03)], 0.014, look.accent)
    canvas.ellipse((x, y), (0.105, width * 0.62), look.body, angle_deg=8)
    eye(canvas, look, (x + 0.03, y - 0.02), radius=0.022)


def draw_frog(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw it squatting, facing the viewer: bulging eyes on top, a wide mouth, folded hind legs."""
    width, bulge = rng.uniform(0.25, 0.29), rng.uniform(0.085, 0.11)
    thigh = rng.uniform(0.17, 0.21)
    for side in (-1, 1):
        canvas.ellipse((0.5 + side * 0.28, 0.68), (0.13, thigh), look.body.shaded(0.75), angle_deg=side * 28)
        canvas.ellipse((0.5 + side * 0.33, 0.87), (0.12, 0.045), look.accent)
        canvas.ellipse((0.5 + side * 0.16, 0.3), (bulge * 1.15, bulge * 1.15), look.body)
    canvas.ellipse((0.5, 0.64), (width, 0.25), look.body)
    canvas.ellipse((0.5, 0.7), (width * 0.6, 0.16), look.light)
    canvas.ellipse((0.5, 0.44), (width + 0.05, 0.17), look.body)
    for side in (-1, 1):
        limb(canvas, [(0.5 + side * 0.14, 0.66), (0.5 + side * 0.12, 0.88)], (0.08, 0.07), look.body)
        canvas.ellipse((0.5 + side * 0.13, 0.9), (0.08, 0.035), look.accent)
        center = (0.5 + side * 0.16, 0.29)
        canvas.ellipse(center, (bulge * 0.8, bulge * 0.8), look.light)
        canvas.ellipse(center, (bulge * 0.55, bulge * 0.3), look.dark)
    canvas.line(
        [(0.5 + dx, 0.52 - 1.2 * dx * dx) for dx in np.linspace(-0.23, 0.23, 9).tolist()], 0.02, look.dark
    )


def draw_snail(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a spiral shell on a long low foot, two feelers with eyes."""
    radius, spin = rng.uniform(0.24, 0.29), rng.uniform(0.0, 360.0)
    tip = rng.uniform(0.26, 0.36)
    center = (0.4, 0.82 - radius)
    canvas.blob([(0.05, 0.86), (0.3, 0.76), (0.62, 0.76), (0.7, 0.6), (0.77, 0.5), (0.88, 0.55),
                 (0.88, 0.7), (0.8, 0.84), (0.6, 0.88), (0.2, 0.88)], look.accent)  # fmt: skip
    for shift in (0.0, 0.09):
        canvas.line([(0.79 + shift, 0.57), (0.8 + shift * 1.3, tip)], 0.022, look.accent)
        canvas.ellipse((0.8 + shift * 1.3, tip), (0.028, 0.028), look.dark)
    canvas.ellipse(center, (radius, radius), look.body)
    turns = np.linspace(0.0, 2.2 * 360.0, 40).tolist()
    canvas.line(
        [around(center, radius * 0.86 * (1 - t / 850.0), t + spin) for t in turns], 0.024, look.accent
    )


def draw_butterfly(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw from above: four wings left and right of a thin dark body with two feelers."""
    top, bottom = rng.uniform(0.1, 0.18), rng.uniform(0.82, 0.92)
    reach, waist = rng.uniform(0.39, 0.44), rng.uniform(0.48, 0.54)
    for side in (-1, 1):
        canvas.blob([(0.5 + side * x, y) for x, y in ((0.0, waist), (0.16, waist), (0.33, waist + 0.06),
                                                      (0.3, bottom - 0.05), (0.16, bottom),
                                                      (0.05, 0.72))], look.body.shaded(0.8))  # fmt: skip
        canvas.blob([(0.5 + side * x, y) for x, y in ((0.0, 0.4), (0.14, 0.24), (reach - 0.06, top),
                                                      (reach, top + 0.12), (reach - 0.08, waist),
                                                      (0.1, waist + 0.05))], look.body)  # fmt: skip
        canvas.ellipse((0.5 + side * 0.29, top + 0.17), (0.075, 0.09), look.accent)
        canvas.ellipse((0.5 + side * 0.2, bottom - 0.15), (0.055, 0.065), look.accent)
        canvas.line([(0.5, 0.28), (0.5 + side * 0.06, 0.15), (0.5 + side * 0.12, 0.09)], 0.018, look.dark)
    canvas.ellipse((0.5, 0.53), (0.035, 0.25), look.dark)
    canvas.ellipse((0.5, 0.28), (0.045, 0.045), look.dark)


def draw_spider(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw from above: two round parts, eight bent legs."""
    size, width = rng.uniform(0.15, 0.2), rng.uniform(0.024, 0.034)
    knee = rng.uniform(0.2, 0.25)
    for side in (-1, 1):
        for angle, reach in ((-62, 0.43), (-25, 0.42), (15, 0.42), (50, 0.45)):
            bend = (0.5 + side * knee, 0.42 + 0.75 * knee * np.tan(np.radians(angle)) - 0.04)
            foot = (0.5 + side * reach, min(0.93, 0.44 + 0.5 * np.tan(np.radians(angle)) * 0.9))
            canvas.line([(0.5, 0.42), bend, (foot[0], max(0.06, foot[1]))], width, look.dark)
    canvas.ellipse((0.5, 0.42 + size * 1.05), (size, size * 1.15), look.body)
    canvas.ellipse((0.5, 0.37), (0.105, 0.1), look.body.shaded(0.75))
    canvas.polygon([(0.5, 0.5 + size * 0.4), (0.54, 0.56 + size * 0.4), (0.5, 0.62 + size * 0.4),
                    (0.46, 0.56 + size * 0.4)], look.accent)  # fmt: skip
    for side in (-1, 1):
        canvas.ellipse((0.5 + side * 0.04, 0.32), (0.026, 0.026), look.light)
        canvas.ellipse((0.5 + side * 0.04, 0.315), (0.013, 0.013), look.dark)


def draw_crab(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a wide shell, two raised claws, eyes on stalks, six legs to the sides."""
    width, claw = rng.uniform(0.25, 0.29), rng.uniform(0.1, 0.125)
    claw_y = rng.uniform(0.2, 0.28)
    for side in (-1, 1):
        for y, reach, drop in ((0.62, 0.44, 0.72), (0.68, 0.4, 0.83), (0.73, 0.31, 0.91)):
            canvas.line([(0.5 + side * 0.15, y), (0.5 + side * (reach - 0.06), y - 0.02),
                         (0.5 + side * reach, drop)], 0.035, look.body.shaded(0.75))  # fmt: skip
        center = (0.5 + side * 0.34, claw_y)
        limb(canvas, [(0.5 + side * 0.2, 0.58), (0.5 + side * 0.39, 0.48),
                      (center[0], claw_y + 0.05)], (0.07, 0.07), look.body)  # fmt: skip
        canvas.ellipse(center, (claw, claw * 1.25), look.body, angle_deg=side * -8)
        canvas.erase_polygon([(center[0] - side * 0.01, claw_y + 0.01),
                              (center[0] - side * 0.1, claw_y - 0.2),
                              (center[0] + side * 0.0, claw_y - 0.2)])  # fmt: skip
        canvas.line([(0.5 + side * 0.08, 0.5), (0.5 + side * 0.09, 0.38)], 0.025, look.body.shaded(0.75))
        canvas.ellipse((0.5 + side * 0.09, 0.36), (0.04, 0.04), look.light)
        canvas.ellipse((0.5 + side * 0.09, 0.36), (0.02, 0.02), look.dark)
    canvas.ellipse((0.5, 0.61), (width, 0.17), look.body)
    canvas.line([(0.42, 0.68), (0.5, 0.71), (0.58, 0.68)], 0.018, look.dark)
