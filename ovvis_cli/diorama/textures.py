"""Index maps of background textures: pictures in [0, 1] that a color ramp then paints.

Each texture function takes a generator and a size, and returns a new variant at each call. No texture has an
outline that could be taken for an object.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

import cv2
import numpy as np
from jaxtyping import Float


class Texture(Protocol):
    """Function that draws an index map of the given (height, width)."""

    def __call__(self, rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
        """Draw a new variant of the texture."""
        ...


def value_noise(
    rng: np.random.Generator, *, frame_hw: tuple[int, int], cells: float, octaves: int, stretch: float = 1.0
) -> Float[np.ndarray, "H W"]:
    """Return smooth noise in [0, 1]: random grids, each twice as fine and half as strong as the one before.

    `cells` is the number of cells of the first grid along the height; `stretch` > 1 makes them wide and flat.
    """
    height, width = frame_hw
    total = np.zeros(frame_hw, dtype=np.float32)
    for octave in range(octaves):
        rows = max(2, round(cells * 2**octave))
        columns = max(2, round(rows * width / height / stretch))
        grid = rng.random((min(rows, height), min(columns, width)), dtype=np.float32) * 0.5**octave
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def gradient(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw a linear or radial gradient."""
    height, width = frame_hw
    if rng.random() < 0.6:
        along, _ = _turned_grid(frame_hw, angle_deg=rng.uniform(0.0, 360.0))
        return _stretched(along + 0.3 * value_noise(rng, frame_hw=frame_hw, cells=2, octaves=1) * height)
    x = np.arange(width, dtype=np.float32) - rng.uniform(0.0, 1.0) * width
    y = np.arange(height, dtype=np.float32) - rng.uniform(0.0, 1.0) * height
    return _stretched(np.hypot(x[None, :], y[:, None]))


def clouds(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw noise of several octaves, from coarse to fine."""
    return value_noise(rng, frame_hw=frame_hw, cells=rng.uniform(2, 9), octaves=int(rng.integers(2, 6)))


def marble(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw veins: bands bent by noise."""
    along, _ = _turned_grid(frame_hw, angle_deg=rng.uniform(0.0, 180.0))
    bend = value_noise(rng, frame_hw=frame_hw, cells=3, octaves=3)
    phase = along / frame_hw[0] * rng.uniform(3, 9) + bend * rng.uniform(3, 9)
    return 0.5 + 0.5 * np.sin(phase * math.pi, dtype=np.float32)


def camouflage(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw noise in few even steps."""
    steps = int(rng.integers(3, 6))
    noise = value_noise(rng, frame_hw=frame_hw, cells=rng.uniform(5, 12), octaves=2)
    return np.floor(noise * steps * 0.999) / np.float32(steps - 1)


def sand(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw single grains over gentle ripples."""
    grains = rng.random(frame_hw, dtype=np.float32)
    ripples = value_noise(
        rng, frame_hw=frame_hw, cells=rng.uniform(4, 14), octaves=2, stretch=rng.uniform(1.0, 4.0)
    )
    return 0.45 * grains + 0.55 * ripples


def grass(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw many short blades over noise."""
    height, width = frame_hw
    picture = (value_noise(rng, frame_hw=frame_hw, cells=5, octaves=3) * 150 + 40).astype(np.uint8)
    num = int(height * width / rng.uniform(60, 160))
    roots = rng.uniform((0, 0), (width, height), (num, 2))
    blades = rng.uniform((-0.012, -0.05), (0.012, -0.02), (num, 2)) * height
    ends = np.stack([roots, roots + blades], axis=1).round().astype(np.int32)
    shades = rng.permutation((10, 60, 100, 150, 200, 250))
    for part, shade in zip(np.array_split(ends, len(shades)), shades, strict=True):
        cv2.polylines(picture, list(part), False, (int(shade),), 1, cv2.LINE_8)
    return picture.astype(np.float32) / 255.0


def bricks(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw rows of bricks, each with its own shade, with joints between."""
    tilt_deg = rng.uniform(-8.0, 8.0)
    return _laid_stones(rng, frame_hw=frame_hw, aspect=rng.uniform(1.8, 3.0), shift=0.5, tilt_deg=tilt_deg)


def planks(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw long boards with a grain along them."""
    aspect, shift = rng.uniform(7.0, 14.0), rng.uniform(0.3, 0.7)
    boards = _laid_stones(
        rng, frame_hw=frame_hw, aspect=aspect, shift=shift, tilt_deg=rng.choice((0.0, 90.0))
    )
    grain = value_noise(rng, frame_hw=frame_hw, cells=40, octaves=1, stretch=rng.uniform(8.0, 16.0))
    return 0.65 * boards + 0.35 * grain


def tiles(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw square tiles with joints, at any angle."""
    return _laid_stones(rng, frame_hw=frame_hw, aspect=1.0, shift=0.0, tilt_deg=rng.uniform(0.0, 90.0))


def checks(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw a checkerboard."""
    along, across = _turned_grid(frame_hw, angle_deg=rng.uniform(0.0, 90.0))
    side = frame_hw[0] * rng.uniform(0.06, 0.18)
    odd = (np.floor(along / side) + np.floor(across / side)) % 2
    return 0.75 * odd + 0.25 * value_noise(rng, frame_hw=frame_hw, cells=6, octaves=3)


def stripes(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw soft or hard bands."""
    along, _ = _turned_grid(frame_hw, angle_deg=rng.uniform(0.0, 180.0))
    wave = np.sin(along * (2.0 * math.pi / (frame_hw[0] * rng.uniform(0.06, 0.25))), dtype=np.float32)
    return 0.5 + 0.5 * np.clip(wave * rng.uniform(0.8, 6.0), -1.0, 1.0)


def water(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw flat ripples."""
    flat = value_noise(
        rng, frame_hw=frame_hw, cells=rng.uniform(12, 24), octaves=2, stretch=rng.uniform(3.0, 7.0)
    )
    return np.abs(2.0 * flat - 1.0) ** np.float32(0.7)


def cobbles(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw cells around random points, darker toward their borders, as in gravel, scales or cracked earth."""
    height, width = frame_hw
    num = int(rng.uniform(150, 900) * width / height / 1.6)
    seeds = np.full(frame_hw, 255, dtype=np.uint8)
    seeds[rng.integers(height, size=num), rng.integers(width, size=num)] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    shades = rng.random(num + 1, dtype=np.float32)
    depth = np.minimum(distance / (0.8 * math.sqrt(height * width / num)), 1.0)
    stones: Float[np.ndarray, "H W"] = 0.55 * shades[labels] + 0.45 * (1.0 - depth)
    return stones


def scribbles(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Draw clutter: long curved strokes that leave the picture, over noise."""
    height, width = frame_hw
    picture = (value_noise(rng, frame_hw=frame_hw, cells=4, octaves=3) * 160 + 40).astype(np.uint8)
    for _ in range(int(rng.integers(6, 22))):
        steps = np.cumsum(rng.normal(0.0, 0.35, 24))
        heading = rng.uniform(0.0, 2.0 * math.pi) + steps
        walk = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * height * 0.07
        path = (walk - walk[12] + rng.uniform((0, 0), (width, height))).round().astype(np.int32)
        thickness = max(1, round(height * rng.uniform(0.004, 0.02)))
        cv2.polylines(picture, [path], False, (int(rng.integers(256)),), thickness, cv2.LINE_AA)
    return picture.astype(np.float32) / 255.0


TEXTURES: Final[Mapping[str, Texture]] = MappingProxyType(
    {
        "gradient": gradient,
        "clouds": clouds,
        "marble": marble,
        "camouflage": camouflage,
        "sand": sand,
        "grass": grass,
        "bricks": bricks,
        "planks": planks,
        "tiles": tiles,
        "checks": checks,
        "stripes": stripes,
        "water": water,
        "cobbles": cobbles,
        "scribbles": scribbles,
    }
)


def _laid_stones(
    rng: np.random.Generator, *, frame_hw: tuple[int, int], aspect: float, shift: float, tilt_deg: float
) -> Float[np.ndarray, "H W"]:
    along, across = _turned_grid(frame_hw, angle_deg=tilt_deg)
    stone = frame_hw[0] * rng.uniform(0.06, 0.16)
    row = across / stone
    whole_row = np.floor(row)
    column = along / (stone * aspect) + whole_row * np.float32(shift)
    whole_column = np.floor(column)
    joint = rng.uniform(0.04, 0.1)
    in_joint = (row - whole_row < joint) | (column - whole_column < joint / aspect)
    shades = rng.random(509, dtype=np.float32)  # a prime, so that neighbors and rows differ
    shade = shades[(whole_row * 31 + whole_column * 7).astype(np.int32) % 509]
    stones = 0.35 + 0.4 * shade + 0.25 * value_noise(rng, frame_hw=frame_hw, cells=12, octaves=2)
    return np.where(in_joint, np.float32(0.05), stones)


def _turned_grid(
    frame_hw: tuple[int, int], *, angle_deg: float
) -> tuple[Float[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """Return pixel coordinates along and across a direction."""
    cos, sin = np.float32(math.cos(math.radians(angle_deg))), np.float32(math.sin(math.radians(angle_deg)))
    y = np.arange(frame_hw[0], dtype=np.float32)[:, None]
    x = np.arange(frame_hw[1], dtype=np.float32)[None, :]
    return x * cos + y * sin, y * cos - x * sin


def _stretched(values: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / max(high - low, 1e-6))
