"""Short videos of several objects in front of a background, with exact masks.

A frame lasts 1/12 s. Camera, background, effects and each object have their own random generators, so that a
scene moves the same way whatever the number, start and stride of its frames.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ovvis_cli.diorama.background import paint_background
from ovvis_cli.diorama.compositing import blend, placement, premultiplied, warp
from ovvis_cli.diorama.cutout import draw_cutout
from ovvis_cli.diorama.effects import Effects, apply_effects, draw_effects
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.motion import (
    MAX_LOG_ZOOM,
    MAX_PAN,
    CameraMotion,
    ObjectMotion,
    camera_motion,
    object_motion,
    spread_starts,
)

FRAMES_PER_S = 12
MAX_OBJECTS = 6
MIN_VISIBLE_PX = 12
_MIN_SIDE, _MAX_SIDE = 0.18, 0.6  # longer side of an object in frame heights, before scaling
_DRAWN_SHARE = 0.9  # share of the canvas that a kind fills, about
_MIN_CANVAS_PX = 24
_REPEAT_SHARE = 0.25
_MAX_START_FRAME = 3 * FRAMES_PER_S
_MAX_SMEAR = 0.025  # of the frame height
_BACKDROP = math.exp(MAX_LOG_ZOOM) + 2.0 * MAX_PAN  # size of the background that a moving camera can see


class Background(Protocol):
    """Function that makes the background of a scene."""

    def __call__(self, rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
        """Return an RGB picture of `frame_hw`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video of N objects; a row of `masks` is all False where its object is not visible in that frame."""

    frames: UInt8[np.ndarray, "T H W 3"]  # RGB
    masks: Bool[np.ndarray, "T N H W"]  # visible parts, so no two overlap
    kinds: tuple[Kind, ...]
    captions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Actor:
    sprite: UInt8[np.ndarray, "p q 4"]
    kind: Kind
    caption: str
    motion: ObjectMotion
    px_per_sprite_px: float  # at scale 1
    depth: int


def render_clip(
    rng: np.random.Generator,
    *,
    kinds: Sequence[Kind],
    num_frames: int,
    frame_hw: tuple[int, int],
    num_objects: int | None = None,
    stride: int = 1,
    start_frame: int | None = None,
) -> Clip:
    """Render a clip of objects of random `kinds`; 1 to 6 of them unless `num_objects` is given.

    Frames are `stride` twelfths of a second apart and start at `start_frame`. At frame 0 objects are mostly
    apart, later they cross; by default a clip starts at a random moment of the first three seconds.

    Raises:
        ValueError: there are no kinds, objects or frames to draw.
    """
    cast = draw_cast(rng, kinds=kinds, num_objects=num_objects)
    if start_frame is None:
        start_frame = int(rng.integers(_MAX_START_FRAME))
    last = start_frame + num_frames * stride
    return film(rng, cast=cast, frame_hw=frame_hw, frame_indices=range(start_frame, last, stride))


def draw_cast(
    rng: np.random.Generator, *, kinds: Sequence[Kind], num_objects: int | None
) -> tuple[Kind, ...]:
    """Choose the kinds of a scene; sometimes one of them appears several times."""
    num = num_objects if num_objects is not None else int(rng.integers(1, MAX_OBJECTS + 1))
    if not kinds or num < 1:
        raise ValueError(f"a scene needs kinds and objects, got {len(kinds)} and {num}")
    cast: list[Kind] = []
    while len(cast) < num:
        again = bool(cast) and rng.random() < _REPEAT_SHARE
        pool = cast if again else kinds
        cast.append(pool[int(rng.integers(len(pool)))])
    return tuple(cast)


def film(
    rng: np.random.Generator,
    *,
    cast: Sequence[Kind],
    frame_hw: tuple[int, int],
    frame_indices: range,
    background: Background = paint_background,
) -> Clip:
    """Render a clip with one object per kind of `cast`, in order, in front of a `background`."""
    if not cast or len(frame_indices) < 1:
        raise ValueError(f"nothing to film: {len(cast)} objects, {len(frame_indices)} frames")
    # the times of the frames, then 1/12 s later, to know how fast things move
    indices = np.asarray(frame_indices, dtype=np.float64)
    times_s = np.concatenate([indices, indices + 1.0]) / FRAMES_PER_S
    camera_rng, background_rng, effects_rng, layout_rng = (_child(rng) for _ in range(4))
    camera = camera_motion(camera_rng, times_s=times_s)
    effects = draw_effects(effects_rng, times_s=times_s, frame_hw=frame_hw)
    starts = spread_starts(layout_rng, num=len(cast))
    actors = []
    for kind, start_xy, depth in zip(cast, starts, layout_rng.permutation(len(cast)), strict=True):
        motion = object_motion(_child(rng), start_xy=start_xy, times_s=times_s)
        actors.append(
            _actor(_child(rng), kind=kind, motion=motion, camera=camera, depth=int(depth), height=frame_hw[0])
        )
    backdrop = _backdrop(background_rng, camera=camera, frame_hw=frame_hw, background=background)
    views = _views(backdrop, camera=camera, num_frames=len(frame_indices), frame_hw=frame_hw)
    return _shoot(actors, views=views, camera=camera, effects=effects, frame_indices=frame_indices)


def _child(rng: np.random.Generator) -> np.random.Generator:
    return np.random.default_rng(rng.integers(0, 2**63))


def _actor(
    rng: np.random.Generator,
    *,
    kind: Kind,
    motion: ObjectMotion,
    camera: CameraMotion,
    depth: int,
    height: int,
) -> _Actor:
    side_px = height * math.exp(rng.uniform(math.log(_MIN_SIDE), math.log(_MAX_SIDE)))
    largest_px = side_px * float((motion.scale * camera.zoom).max())
    size_px = max(_MIN_CANVAS_PX, math.ceil(largest_px / _DRAWN_SHARE))
    cutout = draw_cutout(kind, rng, size_px=size_px)
    return _Actor(
        sprite=premultiplied(cutout.rgba),
        kind=kind,
        caption=cutout.caption,
        motion=motion,
        px_per_sprite_px=side_px / max(cutout.rgba.shape[:2]),
        depth=depth,
    )


def _backdrop(
    rng: np.random.Generator, *, camera: CameraMotion, frame_hw: tuple[int, int], background: Background
) -> UInt8[np.ndarray, "H W 3"]:
    """Make the background, larger than the frame if the camera moves."""
    reach = _BACKDROP if camera.moves else 1.0
    size_hw = (math.ceil(frame_hw[0] * reach), math.ceil(frame_hw[1] * reach))
    return background(rng, frame_hw=size_hw)


def _views(
    backdrop: UInt8[np.ndarray, "P Q 3"], *, camera: CameraMotion, num_frames: int, frame_hw: tuple[int, int]
) -> UInt8[np.ndarray, "T H W 3"]:
    """Return the camera's view of the background in each frame."""
    height, width = frame_hw
    back_hw = backdrop.shape[0], backdrop.shape[1]
    views = np.empty((num_frames, height, width, 3), dtype=np.uint8)
    for step, view in enumerate(views):
        if not camera.moves:
            view[:] = backdrop
            continue
        (x, y), zoom = camera.xy[step], float(camera.zoom[step])
        center = (width * (0.5 - x * zoom) - 0.5, height * (0.5 - y * zoom) - 0.5)
        matrix = placement(sprite_hw=back_hw, center_xy=center, scale=zoom, angle_deg=0.0)
        cv2.warpAffine(backdrop, matrix, (width, height), dst=view, borderMode=cv2.BORDER_REFLECT_101)
    return views


def _shoot(
    actors: Sequence[_Actor],
    *,
    views: UInt8[np.ndarray, "T H W 3"],
    camera: CameraMotion,
    effects: Effects,
    frame_indices: range,
) -> Clip:
    num_frames, height, width = views.shape[:3]
    masks = np.zeros((num_frames, len(actors), height, width), dtype=bool)
    centers = np.stack([_centers_px(actor, camera=camera, frame_hw=(height, width)) for actor in actors])
    limit_px = _MAX_SMEAR * height
    smears = np.clip(
        (centers[:, num_frames:] - centers[:, :num_frames]) * effects.shutter, -limit_px, limit_px
    )
    back_to_front = sorted(range(len(actors)), key=lambda n: actors[n].depth)
    for step, frame_index in enumerate(frame_indices):
        for n in back_to_front:
            matrix = _pose(actors[n], camera=camera, step=step, center_xy=tuple(centers[n, step]))
            smear_xy = tuple(smears[n, step])
            patch = warp(actors[n].sprite, matrix=matrix, frame_hw=(height, width), smear_xy=smear_xy)
            if patch is not None:
                blend(views[step], patch)
                masks[step, :, *patch.area] &= ~patch.solid
                masks[step, n, *patch.area] = patch.solid
        views[step] = apply_effects(views[step], effects, step=step, frame_index=frame_index)
    masks[masks.sum(axis=(2, 3)) < MIN_VISIBLE_PX] = False
    return Clip(
        frames=views,
        masks=masks,
        kinds=tuple(actor.kind for actor in actors),
        captions=tuple(actor.caption for actor in actors),
    )


def _pose(
    actor: _Actor, *, camera: CameraMotion, step: int, center_xy: tuple[float, float]
) -> Float[np.ndarray, "2 3"]:
    motion, height, width = actor.motion, *actor.sprite.shape[:2]
    return placement(
        sprite_hw=(height, width),
        center_xy=center_xy,
        scale=actor.px_per_sprite_px * float(motion.scale[step] * camera.zoom[step]),
        angle_deg=float(motion.angle_deg[step]),
    )


def _centers_px(
    actor: _Actor, *, camera: CameraMotion, frame_hw: tuple[int, int]
) -> Float[np.ndarray, "T 2"]:
    seen = 0.5 + (actor.motion.xy - 0.5 - camera.xy) * camera.zoom[:, None]
    return np.asarray(seen * frame_hw[::-1] - 0.5)
