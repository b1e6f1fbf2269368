"""The food of the diorama and how it is drawn."""

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.kinds.parts import around, limb
from ovvis_cli.diorama.look import Look


def draw_apple(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a disc with a dip at the stem and at the bottom; a leaf; sometimes a bite."""
    width, lean = rng.uniform(0.37, 0.42), rng.uniform(-0.04, 0.06)
    dip = rng.uniform(0.31, 0.35)
    limb(canvas, [(0.5, 0.38), (0.51, 0.2), (0.5 + lean, 0.07)], (0.035, 0.045), look.dark)
    canvas.blob([(0.51, 0.22), (0.6, 0.1), (0.78, 0.09), (0.7, 0.2)], look.accent)
    canvas.blob([(0.5, dip), (0.62, 0.25), (0.5 + width * 0.88, 0.34), (0.5 + width, 0.55),
                 (0.5 + width * 0.72, 0.82), (0.6, 0.94), (0.5, 0.91), (0.4, 0.94),
                 (0.5 - width * 0.72, 0.82), (0.5 - width, 0.55), (0.5 - width * 0.88, 0.34),
                 (0.38, 0.25)], look.body)  # fmt: skip
    canvas.ellipse((0.5 - width * 0.62, 0.45), (0.035, 0.085), look.light, angle_deg=25)
    if rng.random() < 0.35:
        bite_y = rng.uniform(0.48, 0.6)
        for shift in (-0.085, 0.0, 0.085):
            canvas.erase_ellipse((0.52 + width, bite_y + shift), (0.1, 0.065))


def draw_banana(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a thick crescent with dark tips and a ridge along it."""
    depth, thick = rng.uniform(0.68, 0.8), rng.uniform(0.16, 0.22)
    inner = depth - thick
    limb(canvas, [(0.9, 0.3), (0.88, 0.14)], (0.09, 0.055), look.dark)
    canvas.blob([(0.06, 0.4), (0.13, 0.36), (0.3, inner - 0.02), (0.5, inner + 0.02), (0.7, inner - 0.05),
                 (0.84, 0.24), (0.93, 0.24), (0.9, 0.45), (0.75, depth - 0.06), (0.5, depth + 0.04),
                 (0.25, depth - 0.05), (0.11, 0.53)], look.body)  # fmt: skip
    canvas.ellipse((0.085, 0.42), (0.035, 0.05), look.dark, angle_deg=-20)
    middle = inner + thick * 0.55
    limb(canvas, [(0.15, 0.46), (0.3, middle), (0.5, middle + 0.03), (0.72, middle - 0.06),
                  (0.86, 0.34)], (0.018, 0.018), look.body.shaded(0.6))  # fmt: skip


def draw_pear(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a narrow neck on a wide round bottom; stem and leaf."""
    width, neck = rng.uniform(0.29, 0.34), rng.uniform(0.1, 0.14)
    lean = rng.uniform(-0.04, 0.04)
    x = 0.5 + lean
    limb(canvas, [(x, 0.24), (x + 0.01, 0.15), (x + 0.04, 0.08)], (0.035, 0.045), look.dark)
    canvas.blob([(x + 0.02, 0.16), (x + 0.1, 0.07), (x + 0.26, 0.1), (x + 0.13, 0.18)], look.accent)
    canvas.blob([(x, 0.19), (x + neck * 0.85, 0.24), (x + neck, 0.4), (0.5 + width * 0.85, 0.56),
                 (0.5 + width, 0.74), (0.5 + width * 0.65, 0.91), (0.5, 0.94), (0.5 - width * 0.65, 0.91),
                 (0.5 - width, 0.74), (0.5 - width * 0.85, 0.56), (x - neck, 0.4),
                 (x - neck * 0.85, 0.24)], look.body)  # fmt: skip
    canvas.ellipse((0.5 - width * 0.6, 0.68), (0.03, 0.08), look.light, angle_deg=15)


def draw_carrot(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw a long slanted cone with cross lines and a tuft of feathery leaves."""
    width = rng.uniform(0.1, 0.135)
    tip = np.array([rng.uniform(0.06, 0.1), rng.uniform(0.9, 0.94)])
    head = np.array([0.66, 0.36])
    along = (tip - head) / np.linalg.norm(tip - head)
    side = np.array([-along[1], along[0]])
    for angle in (-88, -64, -40, -16, 6):
        reach = rng.uniform(0.25, 0.29)
        limb(canvas, [(0.66, 0.36), around((0.66, 0.36), reach, angle)], (0.04, 0.085), look.accent)
    rows = [(0.0, 0.7), (0.03, 1.0), (0.2, 0.95), (0.75, 0.4)]
    left, right = ([tuple((head + (tip - head) * t + sign * side * width * w).tolist()) for t,
                    w in rows] for sign in (1, -1))  # fmt: skip
    canvas.blob([*left, (float(tip[0]), float(tip[1])), *right[::-1]], look.body)
    for t, sign in ((0.18, 1), (0.33, -1), (0.5, 1), (0.66, -1)):
        start = head + (tip - head) * t + sign * side * width * (1 - t) * 0.8
        end = start - sign * side * width * 0.9 * (1 - t)
        canvas.line([(float(x), float(y)) for x, y in (start, end)], 0.016, look.dark)


def draw_ice_cream(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw scoops in a waffle cone."""
    num_scoops, width = int(rng.integers(1, 4)), rng.uniform(0.19, 0.23)
    rim = 0.4 + 0.05 * num_scoops
    canvas.polygon([(0.5 - width, rim), (0.5 + width, rim), (0.52, 0.95), (0.48, 0.95)], look.accent)
    for t in (0.2, 0.45, 0.7):
        for side in (-1, 1):
            start = (0.5 - side * width * (1 - t), rim + (0.95 - rim) * t)
            end = (0.5 + side * width * max(0.0, 0.8 - t), rim + (0.95 - rim) * min(0.95, t + 0.2))
            canvas.line([start, end], 0.014, look.accent.shaded(0.65))
    height = (rim - 0.13) / (num_scoops + 0.4)  # of what shows of one scoop
    for index in range(num_scoops):
        paint = look.body if index % 2 == 0 else look.body.shaded(0.8)
        radius, bottom = width * (1.05 - 0.1 * index), rim - index * height
        canvas.ellipse((0.5, bottom - height * 0.55), (radius, height * 0.85), paint)
        for step in (-0.75, -0.25, 0.25, 0.75):
            canvas.ellipse((0.5 + step * radius, bottom), (radius * 0.32, 0.045), paint)
    canvas.ellipse((0.5, 0.11), (0.05, 0.05), look.dark)
    canvas.line([(0.5, 0.11), (0.54, 0.05)], 0.015, look.dark)


def draw_pizza(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw one slice: a downward wedge, a puffy crust on top, round toppings."""
    half, drop = rng.uniform(0.34, 0.4), rng.uniform(0.05, 0.09)
    crust = rng.uniform(0.11, 0.14)
    edge = [(0.5 - half, 0.2 + drop), (0.5, 0.18 - drop * 0.3), (0.5 + half, 0.2 + drop)]
    canvas.polygon([*edge, (0.5, 0.95)], look.body)
    for side, t in ((-1, rng.uniform(0.35, 0.5)), (1, rng.uniform(0.45, 0.65))):  # melted cheese on the edges
        x, y = 0.5 + side * half * (1 - t) * 0.93, 0.2 + drop + (0.75 - drop) * t
        limb(canvas, [(x - side * 0.03, y - 0.06), (x, y + 0.06)], (0.07, 0.055), look.body)
    for x, y in ((-0.17, 0.37), (0.16, 0.35), (0.02, 0.53), (rng.uniform(-0.03, 0.03), 0.74)):
        size = rng.uniform(0.06, 0.075) if y < 0.7 else 0.045
        canvas.ellipse((0.5 + x, y), (size, size), look.accent)
        canvas.ellipse((0.5 + x - 0.015, y - 0.015), (size * 0.4, size * 0.3), look.light)
    limb(canvas, edge, (crust, crust), look.body.shaded(0.7))


def draw_cake(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Draw round layers with dripping icing and burning candles, on a plate."""
    half, top = rng.uniform(0.3, 0.36), rng.uniform(0.42, 0.5)
    num_candles = int(rng.integers(2, 6))
    for x in np.linspace(0.5 - half * 0.65, 0.5 + half * 0.65, num_candles).tolist():
        canvas.line([(x, top), (x, top - 0.19)], 0.04, look.accent)
        canvas.blob(
            [(x, top - 0.36), (x + 0.03, top - 0.26), (x, top - 0.21), (x - 0.03, top - 0.26)], look.light
        )
    canvas.ellipse((0.5, 0.88), (0.45, 0.06), look.light)
    canvas.polygon([(0.5 - half, top), (0.5 + half, top), (0.5 + half, 0.86), (0.5 - half, 0.86)], look.body)
    canvas.ellipse((0.5, 0.86), (half, 0.045), look.body)
    band = (top + 0.88) / 2 + 0.07
    canvas.polygon([(0.5 - half, band), (0.5 + half, band), (0.5 + half, band + 0.05),
                    (0.5 - half, band + 0.05)], look.accent)  # fmt: skip
    num_drips = int(rng.integers(5, 8))
    for x in np.linspace(0.5 - half + 0.035, 0.5 + half - 0.035, num_drips).tolist():
        limb(canvas, [(x, top), (x, top + rng.uniform(0.06, 0.16))], (0.085, 0.065), look.light)
    canvas.ellipse((0.5, top), (half, 0.055), look.light)


KINDS: tuple[Kind, ...] = (
    Kind("apple", ("pippin", "crab apple"), draw_apple),
    Kind("banana", ("plantain",), draw_banana),
    Kind("pear", ("conference pear",), draw_pear, novel=True),
    Kind("carrot", ("baby carrot",), draw_carrot, novel=True),
    Kind("ice cream", ("ice cream cone", "gelato"), draw_ice_cream),
    Kind("pizza", ("pizza slice", "slice of pizza"), draw_pizza),
    Kind("cake", ("birthday cake", "gateau"), draw_cake, novel=True),
)
