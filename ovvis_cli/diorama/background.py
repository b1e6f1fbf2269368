"""Textured backgrounds: one texture, or two that meet at a horizon or are blended by noise."""

import colorsys
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ovvis_cli.diorama.textures import TEXTURES, Texture, clouds, gradient, grass, sand, value_noise, water

_NATURAL_RAMPS: Final[Mapping[Texture, tuple[tuple[float, float, float], ...]]] = {  # hue, saturation, value
    grass: ((0.30, 0.75, 0.30), (0.27, 0.65, 0.55), (0.22, 0.55, 0.75)),
    sand: ((0.10, 0.45, 0.55), (0.11, 0.40, 0.75), (0.12, 0.30, 0.92)),
    water: ((0.58, 0.75, 0.40), (0.55, 0.60, 0.65), (0.52, 0.30, 0.90)),
    clouds: ((0.58, 0.55, 0.80), (0.57, 0.30, 0.90), (0.55, 0.04, 0.98)),
}
_NATURAL_SHARE = 0.6
_ALL: Final = tuple(TEXTURES.values())
_GROUNDS: Final = tuple(texture for texture in _ALL if texture is not clouds)
_HORIZON_SHARE, _MIX_SHARE = 0.22, 0.13


def paint_background(
    rng: np.random.Generator, *, frame_hw: tuple[int, int], texture: Texture | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """Paint a background of any sort, or of one `texture` in its natural colors."""
    if texture is not None:
        return _lit(rng, _paint(rng, texture, frame_hw=frame_hw, natural=True))
    sort = rng.random()
    if sort < _HORIZON_SHARE:
        return _lit(rng, _with_horizon(rng, frame_hw=frame_hw))
    picture = _paint(rng, _pick(rng, _ALL), frame_hw=frame_hw)
    if sort < _HORIZON_SHARE + _MIX_SHARE:
        other = _paint(rng, _pick(rng, _ALL), frame_hw=frame_hw)
        weight = np.clip(value_noise(rng, frame_hw=frame_hw, cells=2, octaves=2) * 4.0 - 1.5, 0.0, 1.0)
        picture = _blend(picture, other, weight=weight)
    return _lit(rng, picture)


def _paint(
    rng: np.random.Generator, texture: Texture, *, frame_hw: tuple[int, int], natural: bool = False
) -> UInt8[np.ndarray, "H W 3"]:
    index = np.clip(texture(rng, frame_hw=frame_hw) * 255.0, 0.0, 255.0).astype(np.uint8)
    colors = _NATURAL_RAMPS.get(texture)
    if colors is None or not (natural or rng.random() < _NATURAL_SHARE):
        colors = _random_colors(rng)
    table = _ramp([colorsys.hsv_to_rgb(*_jitter(rng, color)) for color in colors])
    picture: UInt8[np.ndarray, "H W 3"] = cv2.LUT(cv2.merge([index, index, index]), table)
    return picture


def _with_horizon(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    height, width = frame_hw
    sky = _paint(rng, clouds if rng.random() < 0.6 else gradient, frame_hw=frame_hw)
    ground = _paint(rng, _pick(rng, _GROUNDS), frame_hw=frame_hw)
    hills = cv2.resize(rng.random((1, int(rng.integers(2, 9)))), (width, 1), interpolation=cv2.INTER_CUBIC)
    line = (rng.uniform(0.2, 0.6) + (hills - 0.5) * rng.uniform(0.0, 0.2)) * height
    weight = np.clip(np.arange(height)[:, None] - line, 0.0, 1.0)
    return _blend(sky, ground, weight=weight.astype(np.float32))


def _blend(
    picture: UInt8[np.ndarray, "H W 3"],
    other: UInt8[np.ndarray, "H W 3"],
    *,
    weight: Float[np.ndarray, "H W"],
) -> UInt8[np.ndarray, "H W 3"]:
    mixed: UInt8[np.ndarray, "H W 3"] = cv2.blendLinear(picture, other, 1.0 - weight, weight)
    return mixed


def _lit(rng: np.random.Generator, picture: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Soften half of the pictures, and give each a contrast of its own and a mild light gradient."""
    contrast = rng.uniform(0.55, 1.0)
    mean = np.array(cv2.mean(picture)[:3]) * (1.0 - contrast)
    levels = np.arange(256)[:, None] * contrast + mean
    picture = cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), picture.shape[0] / 192.0 * rng.uniform(0.4, 1.4))
    corners = cv2.resize(rng.uniform(0.8, 1.1, (2, 2)).astype(np.float32), picture.shape[1::-1])
    lit: UInt8[np.ndarray, "H W 3"] = cv2.multiply(
        picture, cv2.merge([corners, corners, corners]), dtype=cv2.CV_8U
    )
    return lit


def _random_colors(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """Return two to four colors, related or not, mostly less saturated than the objects."""
    hue, spread = rng.random(), rng.choice((0.04, 0.12, 0.5))
    saturation = rng.uniform(0.0, 0.8) ** 1.5
    values = np.sort(rng.uniform(0.2, 0.98, int(rng.integers(2, 5))))
    return tuple(((hue + rng.uniform(-spread, spread)) % 1.0, saturation, float(value)) for value in values)


def _jitter(rng: np.random.Generator, color: Sequence[float]) -> tuple[float, float, float]:
    hue, saturation, value = np.asarray(color) + rng.uniform(-0.03, 0.03, 3) * (1.0, 3.0, 2.0)
    return float(hue % 1.0), float(np.clip(saturation, 0, 1)), float(np.clip(value, 0, 1))


def _ramp(colors: Sequence[tuple[float, float, float]]) -> UInt8[np.ndarray, "1 256 3"]:
    places = np.linspace(0.0, 1.0, len(colors))
    steps = np.linspace(0.0, 1.0, 256)
    channels = [np.interp(steps, places, [color[c] for color in colors]) for c in range(3)]
    return (np.stack(channels, axis=1) * 255.0).astype(np.uint8).reshape(1, 256, 3)


def _pick(rng: np.random.Generator, textures: Sequence[Texture]) -> Texture:
    return textures[int(rng.integers(len(textures)))]
