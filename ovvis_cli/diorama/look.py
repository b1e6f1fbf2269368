"""Colors, patterns and the random look of an object of any kind.

Looks are independent of kinds, so that only shape distinguishes kinds and only color words distinguish looks.
"""

import colorsys
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

Color: TypeAlias = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

Pattern: TypeAlias = Literal["plain", "striped", "spotted", "checkered", "two-tone"]

PATTERNS: Final[tuple[Pattern, ...]] = get_args(Pattern)

NAMED_COLORS: Final[dict[str, Color]] = {
    "red": (214, 40, 40),
    "orange": (242, 130, 28),
    "yellow": (246, 214, 48),
    "green": (52, 158, 66),
    "turquoise": (42, 188, 186),
    "blue": (40, 88, 208),
    "purple": (126, 52, 172),
    "pink": (244, 138, 184),
    "brown": (124, 76, 40),
    "beige": (222, 196, 152),
    "gray": (136, 138, 142),
    "black": (38, 36, 40),
    "white": (242, 242, 238),
}

_PLAIN_PROBABILITY = 0.5
_MIN_CONTRAST = 110.0  # Euclidean RGB distance between the two colors of a pattern
_PERIODS = (0.09, 0.2)


@dataclass(frozen=True, slots=True)
class Paint:
    """Fill of a shape: one color, or a pattern of two.

    `period` is the repeat of the pattern in unit coordinates, and `angle_deg` turns it. Patterns are anchored
    to the canvas, so that they continue from one shape into the next. A plain paint uses `color` only.
    """

    color: Color
    _: KW_ONLY
    pattern: Pattern = "plain"
    color2: Color = (255, 255, 255)
    period: float = 0.14
    angle_deg: float = 0.0

    def shaded(self, factor: float) -> "Paint":
        """Return the paint with both colors multiplied by `factor` (below 1 darker, above 1 lighter)."""
        return replace(
            self, color=_scale(self.color, factor=factor), color2=_scale(self.color2, factor=factor)
        )


@dataclass(frozen=True, slots=True)
class Look:
    """The paints of one object; `body` is for the main surface, and the two names describe it."""

    body: Paint
    accent: Paint
    light: Color
    dark: Color
    color_name: str
    pattern_name: Pattern


def random_look(rng: np.random.Generator) -> Look:
    """Draw a look: a named body color with jitter, a pattern half the time, a contrasting plain accent."""
    color_name = _pick(rng, tuple(NAMED_COLORS))
    color = _jitter(NAMED_COLORS[color_name], rng=rng)
    pattern: Pattern = "plain"
    if rng.random() >= _PLAIN_PROBABILITY:
        pattern = PATTERNS[1 + int(rng.integers(len(PATTERNS) - 1))]
    body = Paint(
        color,
        pattern=pattern,
        color2=_contrasting(color, rng=rng),
        period=float(rng.uniform(*_PERIODS)),
        angle_deg=float(rng.uniform(-90.0, 90.0)),
    )
    return Look(
        body=body,
        accent=Paint(_contrasting(color, rng=rng)),
        light=_jitter((240, 238, 232), rng=rng),
        dark=_jitter((34, 32, 38), rng=rng),
        color_name=color_name,
        pattern_name=pattern,
    )


def _contrasting(color: Color, *, rng: np.random.Generator) -> Color:
    far = [
        name
        for name, other in NAMED_COLORS.items()
        if np.linalg.norm(np.subtract(color, other)) >= _MIN_CONTRAST
    ]
    return _jitter(NAMED_COLORS[_pick(rng, tuple(far))], rng=rng)


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def _jitter(color: Color, *, rng: np.random.Generator) -> Color:
    """Change hue, saturation and value slightly, so that the color keeps its name."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255.0 for channel in color))
    hue = (hue + rng.uniform(-0.012, 0.012)) % 1.0
    saturation = min(1.0, saturation * rng.uniform(0.85, 1.15))
    value = min(1.0, value * rng.uniform(0.88, 1.1))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _scale(color: Color, *, factor: float) -> Color:
    red, green, blue = (min(255, max(0, round(channel * factor))) for channel in color)
    return red, green, blue
