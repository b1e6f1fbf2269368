"""One color per track, the same in every output."""

import math
from functools import lru_cache
from typing import Final

Rgb = tuple[int, int, int]

_GOLDEN_ANGLE_DEG: Final = 137.50776
_FIRST_HUE_DEG: Final = 250.0  # blue, the color of the first track
_LIGHTNESS: Final = (
    0.70,
    0.66,
    0.80,
)  # alternating, so that similar hues still differ; all are visible on dark and light
_CHROMA: Final = 0.19


@lru_cache(maxsize=1024)
def track_color(track_id: int) -> Rgb:
    """Return the sRGB color (0-255) of a track; consecutive hues are a golden angle apart in Oklch."""
    hue = math.radians((_FIRST_HUE_DEG + track_id * _GOLDEN_ANGLE_DEG) % 360.0)
    lightness = _LIGHTNESS[track_id % len(_LIGHTNESS)]
    chroma = _CHROMA
    while True:
        linear = _linear_from_oklab(lightness, chroma * math.cos(hue), chroma * math.sin(hue))
        if all(-0.001 <= value <= 1.001 for value in linear):
            red, green, blue = (_gamma_encoded(value) for value in linear)
            return red, green, blue
        chroma -= 0.01  # gray, chroma 0, is always inside the gamut


def hex_color(color: Rgb) -> str:
    """Return a color as CSS writes it: `#1f5fd0`."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def text_color(background: Rgb) -> Rgb:
    """Return near-black or white, whichever has more contrast with the background."""
    red, green, blue = (_linear(value) for value in background)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    white_contrast, black_contrast = 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05
    return (255, 255, 255) if white_contrast > black_contrast else (16, 16, 16)


def _linear_from_oklab(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    """Convert an Oklab color to linear sRGB; outside [0, 1] a screen cannot show it."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _gamma_encoded(linear: float) -> int:
    value = min(max(linear, 0.0), 1.0)
    encoded = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255 * encoded)


def _linear(value: int) -> float:
    encoded = value / 255
    return encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4
