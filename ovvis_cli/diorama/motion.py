"""Motion of objects and camera: smooth curves through random knots.

Knots are drawn one after another, with a fixed number of random values each. So the same generator gives the
same motion for any number of frames, and a longer clip continues a shorter one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

MotionStyle = Literal["cross", "wander", "excursion", "enter", "rest"]

_STYLES: tuple[MotionStyle, ...] = ("cross", "wander", "excursion", "enter", "rest")
_STYLE_SHARES = (0.38, 0.26, 0.14, 0.10, 0.12)
_KNOT_S = 0.75
_MAX_LOG_SCALE = math.log(1.5) / 2.0
_MAX_TILT_DEG = 35.0
_OUTSIDE = 0.22  # how far outside the border, in frame widths, an object goes when it leaves
_EDGE = 0.18  # where such an object starts and returns to
_MAX_STEP = 0.4  # between two knots, in frame sizes
_CAMERA_KNOT_S = 1.0
MAX_PAN = 0.09
MAX_LOG_ZOOM = 0.10
_MOVING_CAMERA_SHARE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMotion:
    """Poses of one object; `xy` is its center as fractions of frame width and height, y down."""

    xy: Float[np.ndarray, "T 2"]
    scale: Float[np.ndarray, " T"]
    angle_deg: Float[np.ndarray, " T"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMotion:
    """View of the camera: `xy` is the shift of its center in frame sizes, `zoom` > 1 magnifies."""

    xy: Float[np.ndarray, "T 2"]
    zoom: Float[np.ndarray, " T"]
    moves: bool


def object_motion(
    rng: np.random.Generator, *, start_xy: Float[np.ndarray, " 2"], times_s: Float[np.ndarray, " T"]
) -> ObjectMotion:
    """Return a smooth path from `start_xy` at 0 s; `times_s` may be in any order, but not negative."""
    style = _STYLES[int(rng.choice(len(_STYLES), p=_STYLE_SHARES))]
    speed = rng.uniform(0.12, 0.32) * (0.08 if style == "rest" else 1.0)
    log_scale, tilt_deg = rng.uniform(0.0, _MAX_LOG_SCALE), rng.uniform(0.0, _MAX_TILT_DEG)
    # one row per knot: target x, target y, length of the step, size, tilt
    draws = rng.random((_num_knots(times_s, spacing_s=_KNOT_S), 5))
    if style == "excursion":
        start_xy = np.array([_EDGE if start_xy[0] < 0.5 else 1.0 - _EDGE, start_xy[1]])
    path = _path_knots(draws, style=style, start_xy=start_xy, step=speed * _KNOT_S)
    knots = np.column_stack([path, (draws[:, 3:] * 2.0 - 1.0) * (log_scale, tilt_deg)])
    values = catmull_rom(knots, times_s=times_s, spacing_s=_KNOT_S)
    return ObjectMotion(xy=values[:, :2], scale=np.exp(values[:, 2]), angle_deg=values[:, 3])


def camera_motion(rng: np.random.Generator, *, times_s: Float[np.ndarray, " T"]) -> CameraMotion:
    """Return a camera that stands still or pans and zooms a little; at 0 s it shows the scene as laid out."""
    moves = bool(rng.random() < _MOVING_CAMERA_SHARE)
    reach = rng.random(2) if moves else np.zeros(2)
    knots = rng.uniform(-1.0, 1.0, (_num_knots(times_s, spacing_s=_CAMERA_KNOT_S), 3))
    knots[:2] = 0.0
    limits = np.array([reach[0] * MAX_PAN, reach[0] * MAX_PAN, reach[1] * MAX_LOG_ZOOM])
    values = catmull_rom(knots * limits, times_s=times_s, spacing_s=_CAMERA_KNOT_S)
    return CameraMotion(xy=values[:, :2], zoom=np.exp(values[:, 2]), moves=moves)


def spread_starts(rng: np.random.Generator, *, num: int) -> Float[np.ndarray, "N 2"]:
    """Choose places in the frame, each the farthest of ten candidates from earlier places."""
    places: list[Float[np.ndarray, " 2"]] = []
    for _ in range(num):
        tries = rng.uniform((0.12, 0.18), (0.88, 0.82), (10, 2))
        places.append(tries[_farthest(tries, places)] if places else tries[0])
    return np.stack(places)


def catmull_rom(
    knots: Float[np.ndarray, "K D"], *, times_s: Float[np.ndarray, " T"], spacing_s: float
) -> Float[np.ndarray, "T D"]:
    """Return the curve through `knots` at `times_s`; knot 1 is at 0 s, knot 0 only sets the direction.

    Raises:
        ValueError: there are too few knots for the last time.
    """
    whole, rest = np.divmod(times_s / spacing_s, 1.0)
    first = whole.astype(np.int64)
    if first.max(initial=0) + 3 >= len(knots):
        raise ValueError(f"{len(knots)} knots are too few for {times_s.max()} s")
    u = rest[:, None]
    p0, p1, p2, p3 = (knots[first + k] for k in range(4))
    bend = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3
    turn = 3.0 * (p1 - p2) + p3 - p0
    return np.asarray(0.5 * (2.0 * p1 + (p2 - p0) * u + bend * u**2 + turn * u**3))


def _num_knots(times_s: Float[np.ndarray, " T"], *, spacing_s: float) -> int:
    return int(times_s.max(initial=0.0) / spacing_s) + 4


def _farthest(tries: Float[np.ndarray, "K 2"], places: Sequence[Float[np.ndarray, " 2"]]) -> int:
    distances = np.linalg.norm(tries[:, None] - np.stack(places)[None], axis=-1)
    return int(distances.min(axis=1).argmax())


def _path_knots(
    draws: Float[np.ndarray, "K 5"], *, style: MotionStyle, start_xy: Float[np.ndarray, " 2"], step: float
) -> Float[np.ndarray, "K 2"]:
    knots = [start_xy, start_xy]
    outside = _nearest_outside(start_xy)
    if style == "enter":
        knots = [outside + (outside - start_xy), outside]
    for k in range(2, len(draws)):
        knots.append(_next_knot(knots[-1], k, draw=draws[k], style=style, start_xy=start_xy, step=step))
    if style != "enter":
        knots[0] = 2.0 * knots[1] - knots[2]
    return np.stack(knots)


def _next_knot(
    here: Float[np.ndarray, " 2"],
    index: int,
    *,
    draw: Float[np.ndarray, " 5"],
    style: MotionStyle,
    start_xy: Float[np.ndarray, " 2"],
    step: float,
) -> Float[np.ndarray, " 2"]:
    wobble = (draw[:2] - 0.5) * 0.12
    if style == "excursion" and index in (2, 3):
        return np.asarray(_nearest_outside(start_xy) + wobble)
    if index == 4 and style == "excursion":
        return np.asarray(start_xy + wobble)
    if index == 2 and style == "enter":
        return np.asarray(here + np.clip(start_xy + wobble - here, -_MAX_STEP, _MAX_STEP))
    target = 0.12 + 0.76 * draw[:2]
    if style == "cross" and index <= 4:  # to the other side, across the places of others
        target = np.array([1.0 - start_xy[0] + wobble[0], target[1]])
    away = target - here
    length = step * (0.6 + 0.8 * draw[2])
    return np.asarray(here + away * (length / max(float(np.linalg.norm(away)), 1e-6)))


def _nearest_outside(start_xy: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " 2"]:
    x = -_OUTSIDE if start_xy[0] < 0.5 else 1.0 + _OUTSIDE
    return np.array([x, start_xy[1]])
