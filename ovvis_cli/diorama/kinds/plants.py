"""The plants of the diorama and how they are drawn."""

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.kinds.parts import around, limb
from ovvis_cli.diorama.look import Look


def draw_tree(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a broad cloud of leaves on a forked trunk."""
    radius, width = rng.uniform(0.26, 0.3), rng.uniform(0.1, 0.15)
    center = (0.5, 0.38)
    canvas.polygon([(0.5 - width * 0.5, 0.5), (0.5 + width * 0.5, 0.5), (0.5 + width * 0.6, 0.84),
                    (0.5 + width, 0.94), (0.5 - width, 0.94),
                    (0.5 - width * 0.6, 0.84)], look.accent)  # fmt: skip
    for side in (-1, 1):
        limb(canvas, [(0.5, 0.74), (0.5 + side * 0.17, 0.54)], (0.06, 0.04), look.accent)
    canvas.ellipse(center, (radius, radius * 0.85), look.body)
    num_puffs = int(rng.integers(7, 10))
    for index in range(num_puffs):
        puff = around(center, radius * 0.8, 360.0 * index / num_puffs + rng.uniform(-8, 8))
        size = rng.uniform(0.1, 0.13)
        canvas.ellipse((puff[0] * 1.1 - 0.05, puff[1] * 0.9 + 0.04), (size, size), look.body)


def draw_pine(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a pointed stack of widening triangles on a short trunk."""
    num_tiers, width = int(rng.integers(3, 6)), rng.uniform(0.28, 0.4)
    canvas.polygon([(0.45, 0.76), (0.55, 0.76), (0.56, 0.95), (0.44, 0.95)], look.accent)
    height = 0.8 / num_tiers
    for tier in reversed(range(num_tiers)):
        half = width * (0.45 + 0.55 * (tier + 1) / num_tiers)
        bottom, top = 0.05 + height * (tier + 1) + 0.01, max(0.05, 0.05 + height * (tier - 0.55))
        paint = look.body if tier % 2 == 0 else look.body.shaded(0.82)
        canvas.polygon([(0.5, top), (0.5 + half, bottom), (0.5, bottom - 0.03), (0.5 - half, bottom)], paint)


def draw_cactus(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a ribbed column with two arms that bend upward, in a pot."""
    width, arm = rng.uniform(0.17, 0.22), rng.uniform(0.09, 0.12)
    for side in (-1, 1):
        low, high = rng.uniform(0.48, 0.6), rng.uniform(0.22, 0.36)
        canvas.line([(0.5, low), (0.5 + side * 0.3, low), (0.5 + side * 0.3, high)], arm, look.body)
        for y in np.arange(high, low, 0.07).tolist():
            canvas.line([(0.5 + side * 0.29, y), (0.5 + side * 0.31, y)], 0.012, look.light)
    limb(canvas, [(0.5, 0.16), (0.5, 0.8)], (width, width), look.body)
    for shift in (-0.28, 0.0, 0.28):
        for y in np.arange(0.16, 0.7, 0.09).tolist():
            x = 0.5 + shift * width
            canvas.line([(x - 0.012, y), (x + 0.012, y + 0.012)], 0.012, look.light)
    canvas.polygon([(0.3, 0.74), (0.7, 0.74), (0.64, 0.95), (0.36, 0.95)], look.accent)
    canvas.polygon([(0.28, 0.71), (0.72, 0.71), (0.72, 0.77), (0.28, 0.77)], look.accent.shaded(0.8))


def draw_flower(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw round petals about a disc, on a long stem with two leaves."""
    num_petals, reach = int(rng.integers(5, 9)), rng.uniform(0.16, 0.19)
    center, turn = (0.5, 0.31), rng.uniform(0.0, 360.0)
    width = min(0.1, 0.62 * reach * np.sin(np.pi / num_petals) + 0.02)
    sway = rng.uniform(-0.05, 0.05)
    limb(canvas, [(0.5, 0.35), (0.5 + sway, 0.65), (0.5, 0.94)], (0.035, 0.045), look.accent)
    for side, y in ((-1, rng.uniform(0.8, 0.86)), (1, rng.uniform(0.72, 0.8))):
        canvas.blob([(0.5 + sway * 0.7, y), (0.5 + side * 0.13, y - 0.12), (0.5 + side * 0.27, y - 0.13),
                     (0.5 + side * 0.16, y)], look.accent)  # fmt: skip
    for petal in range(num_petals):
        angle = turn + 360.0 * petal / num_petals
        canvas.ellipse(around(center, reach * 0.85, angle), (reach * 0.62, width), look.body, angle_deg=angle)
    canvas.ellipse(center, (0.085, 0.085), look.accent)
    canvas.ellipse(center, (0.055, 0.055), look.dark)


def draw_mushroom(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a domed cap with pale spots on a stout stem with a skirt."""
    top, rim = rng.uniform(0.08, 0.16), rng.uniform(0.48, 0.54)
    width, stem = rng.uniform(0.38, 0.45), rng.uniform(0.09, 0.13)
    canvas.blob([(0.5 - stem, rim - 0.05), (0.5 + stem, rim - 0.05), (0.5 + stem * 0.95, 0.75),
                 (0.5 + stem * 1.35, 0.9), (0.5, 0.94), (0.5 - stem * 1.35, 0.9),
                 (0.5 - stem * 0.95, 0.75)], look.light)  # fmt: skip
    canvas.polygon([(0.5 - stem, rim + 0.05), (0.5 + stem, rim + 0.05), (0.5 + stem * 1.5, rim + 0.15),
                    (0.5 - stem * 1.5, rim + 0.15)], look.accent)  # fmt: skip
    canvas.ellipse((0.5, rim), (width, 0.06), look.body.shaded(0.7))
    canvas.ellipse((0.5, rim), (width, rim - top), look.body, start_deg=180, end_deg=360)
    for x, y, size in ((-0.5, 0.4, 0.045), (-0.05, 0.7, 0.06), (0.05, 0.25, 0.05), (0.5, 0.45, 0.05)):
        spot = (0.5 + width * (x + rng.uniform(-0.06, 0.06)), rim - (rim - top) * y)
        canvas.ellipse(spot, (size * 1.1, size), look.light)


KINDS: tuple[Kind, ...] = (
    Kind("tree", ("oak", "maple tree"), draw_tree),
    Kind("pine", ("fir tree", "conifer", "spruce"), draw_pine),
    Kind("cactus", ("saguaro", "succulent"), draw_cactus, novel=True),
    Kind("flower", ("blossom", "daisy"), draw_flower),
    Kind("mushroom", ("toadstool", "fungus"), draw_mushroom),
)
