"""Pictures of one object with a caption, for training the small CLIP."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from ovvis_cli.diorama.background import paint_background
from ovvis_cli.diorama.compositing import Patch, blend, placement, premultiplied, warp
from ovvis_cli.diorama.cutout import Cutout, draw_cutout
from ovvis_cli.diorama.effects import apply_effects, draw_effects
from ovvis_cli.diorama.kinds.kind import Kind

_MIN_SIDE, _MAX_SIDE = 0.45, 1.0
_MAX_TILT_DEG = 35.0
_CUT_SHARE = 0.3  # pictures in which the object may cross the border
_MIN_VISIBLE = 0.75
_INTRUDER_SHARE = 0.2
_DRAWN_SHARE = 0.9


def render_single(
    rng: np.random.Generator, *, kinds: Sequence[Kind], size_px: int, plain: bool = False
) -> tuple[UInt8[np.ndarray, "S S 3"], Kind, str]:
    """Return a square RGB picture of one object of random kind, that kind, and a caption.

    At least three quarters of the object are visible. In some pictures part of another object, which the
    caption does not mention, is visible at the border behind it. A `plain` picture has one color behind the
    object and nothing
    else: the easiest case to learn first.
    """
    kind = kinds[int(rng.integers(len(kinds)))]
    if plain:
        picture = np.full((size_px, size_px, 3), rng.integers(0, 256, 3), np.uint8)
        cutout, patch = _object(rng, kind, size_px=size_px)
        blend(picture, patch)
        return picture, kind, cutout.caption
    picture = paint_background(rng, frame_hw=(size_px, size_px))
    if rng.random() < _INTRUDER_SHARE:
        blend(picture, _intruder(rng, kind=kinds[int(rng.integers(len(kinds)))], size_px=size_px))
    cutout, patch = _object(rng, kind, size_px=size_px)
    blend(picture, patch)
    effects = draw_effects(rng, times_s=np.zeros(1), frame_hw=(size_px, size_px))
    return apply_effects(picture, effects, step=0, frame_index=0), kind, cutout.caption


def _object(rng: np.random.Generator, kind: Kind, *, size_px: int) -> tuple[Cutout, Patch]:
    """Draw an object of random size and place it."""
    side_px = size_px * rng.uniform(_MIN_SIDE, _MAX_SIDE)
    cutout = draw_cutout(kind, rng, size_px=math.ceil(side_px / _DRAWN_SHARE))
    return cutout, _placed(rng, cutout, side_px=side_px, size_px=size_px)


def _placed(rng: np.random.Generator, cutout: Cutout, *, side_px: float, size_px: int) -> Patch:
    sprite = premultiplied(cutout.rgba)
    height, width = cutout.rgba.shape[:2]
    scale = side_px / max(height, width)
    angle_deg = rng.uniform(-_MAX_TILT_DEG, _MAX_TILT_DEG) * (rng.random() < 0.7)
    cos, sin = abs(math.cos(math.radians(angle_deg))), abs(math.sin(math.radians(angle_deg)))
    half = 0.5 * scale * np.array([width * cos + height * sin, height * cos + width * sin])
    allowed = size_px / 2.0 - half
    room = np.maximum(allowed, 0.0)
    if rng.random() < _CUT_SHARE:
        room = room + 0.3 * half
    shift = rng.uniform(-1.0, 1.0, 2) * room
    solid_px = (cutout.rgba[:, :, 3] > 127).sum() * scale**2
    for toward_middle in (1.0, 0.5, 0.0):
        x, y = shift * toward_middle + (size_px - 1) / 2.0
        matrix = placement(sprite_hw=sprite.shape[:2], center_xy=(x, y), scale=scale, angle_deg=angle_deg)
        patch = warp(sprite, matrix=matrix, frame_hw=(size_px, size_px))
        if patch is not None and patch.solid.sum() >= _MIN_VISIBLE * solid_px:
            return patch
    raise AssertionError("an object in the middle of the picture is always seen")


def _intruder(rng: np.random.Generator, *, kind: Kind, size_px: int) -> Patch:
    """Draw another, smaller object with its center near the border."""
    side_px = size_px * rng.uniform(0.25, 0.5)
    cutout = draw_cutout(kind, rng, size_px=math.ceil(side_px / _DRAWN_SHARE))
    along, over = rng.uniform(0.0, 1.0), rng.choice((0.02, 0.98))
    x, y = (along, over) if rng.random() < 0.5 else (over, along)
    sprite = premultiplied(cutout.rgba)
    matrix = placement(
        sprite_hw=sprite.shape[:2],
        center_xy=(x * size_px, y * size_px),
        scale=side_px / max(cutout.rgba.shape[:2]),
        angle_deg=rng.uniform(-_MAX_TILT_DEG, _MAX_TILT_DEG),
    )
    patch = warp(sprite, matrix=matrix, frame_hw=(size_px, size_px))
    if patch is None:
        raise AssertionError("an object whose centre is in the picture is seen")
    return patch
