"""Camera effects on finished frames: exposure drift, noise, and motion blur from the shutter time."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int16, UInt8

from ovvis_cli.diorama.motion import catmull_rom

_KNOT_S = 0.8
_BLURRED_SHARE, _NOISY_SHARE = 0.4, 0.6
_NOISE_SHIFT_PX = 24
_NOISE_TILE_PX = 96  # repeated over the frame: not noticeable, and fast


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Mild effects of one clip; `gains` multiply the red, green and blue of each frame."""

    gains: Float[np.ndarray, "T 3"]
    noise: Int16[np.ndarray, "P Q 3"] | None  # larger than the frame, shifted from frame to frame
    shutter: float  # fraction of the frame interval in which the shutter is open, 0 for sharp frames


def draw_effects(
    rng: np.random.Generator, *, times_s: Float[np.ndarray, " T"], frame_hw: tuple[int, int]
) -> Effects:
    """Draw effects for `times_s`; the same generator gives the same effects for any number of frames."""
    shutter = float(rng.uniform(0.2, 0.5)) if rng.random() < _BLURRED_SHARE else 0.0
    sigma = float(rng.uniform(1.0, 5.0)) if rng.random() < _NOISY_SHARE else 0.0
    cast, drift = rng.uniform(0.94, 1.06, 3), rng.uniform(0.0, 0.09)
    noise = None
    if sigma > 0.0:
        tile = rng.standard_normal((_NOISE_TILE_PX, _NOISE_TILE_PX, 3), dtype=np.float32) * np.float32(sigma)
        rows, columns = ((side + _NOISE_SHIFT_PX) // _NOISE_TILE_PX + 1 for side in frame_hw)
        noise = np.tile(tile.astype(np.int16), (rows, columns, 1))
    knots = rng.uniform(-1.0, 1.0, (int(times_s.max() / _KNOT_S) + 4, 1)) * drift
    light = 1.0 + catmull_rom(knots, times_s=times_s, spacing_s=_KNOT_S)
    return Effects(gains=light * cast, noise=noise, shutter=shutter)


def apply_effects(
    frame: UInt8[np.ndarray, "H W 3"], effects: Effects, *, step: int, frame_index: int
) -> UInt8[np.ndarray, "H W 3"]:
    """Apply the effects of the clip's frame `step`; `frame_index` shifts the noise."""
    levels = np.arange(256)[:, None] * effects.gains[step]
    lit: UInt8[np.ndarray, "H W 3"] = cv2.LUT(
        frame, np.clip(levels, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    )
    if effects.noise is None:
        return lit
    top, left = (frame_index * 7) % _NOISE_SHIFT_PX, (frame_index * 11) % _NOISE_SHIFT_PX
    grain = effects.noise[top : top + frame.shape[0], left : left + frame.shape[1]]
    noisy: UInt8[np.ndarray, "H W 3"] = cv2.add(lit, grain, dtype=cv2.CV_8U)
    return noisy
