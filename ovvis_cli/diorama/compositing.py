"""Compositing of a cutout onto a frame: rotate, scale, blend, and report the covered pixels."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

_RIM_PX = 1  # transparent rim that keeps the outline smooth when warped
_SOLID = 127
_MIN_BLUR_PX = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A warped cutout, clipped to the frame; `rgba` is premultiplied, `solid` is where alpha > 0.5."""

    top: int
    left: int
    rgba: UInt8[np.ndarray, "h w 4"]
    solid: Bool[np.ndarray, "h w"]

    @property
    def area(self) -> tuple[slice, slice]:
        """Rows and columns of the frame that the patch covers."""
        height, width = self.solid.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def premultiplied(rgba: UInt8[np.ndarray, "h w 4"]) -> UInt8[np.ndarray, "p q 4"]:
    """Convert straight to premultiplied alpha and add a transparent rim of one pixel."""
    alpha = rgba[:, :, 3]
    color = cv2.multiply(rgba[:, :, :3], cv2.merge([alpha, alpha, alpha]), scale=1.0 / 255.0)
    return np.pad(np.dstack([color, alpha]), ((_RIM_PX, _RIM_PX), (_RIM_PX, _RIM_PX), (0, 0)))


def placement(
    *, sprite_hw: tuple[int, int], center_xy: tuple[float, float], scale: float, angle_deg: float
) -> Float[np.ndarray, "2 3"]:
    """Return the affine map of a sprite centered at `center_xy` (pixels), scaled and turned clockwise."""
    cos = scale * math.cos(math.radians(angle_deg))
    sin = scale * math.sin(math.radians(angle_deg))
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = np.array([(sprite_hw[1] - 1) / 2.0, (sprite_hw[0] - 1) / 2.0])
    return np.column_stack([turn, np.asarray(center_xy) - turn @ middle])


def warp(
    sprite: UInt8[np.ndarray, "p q 4"],
    *,
    matrix: Float[np.ndarray, "2 3"],
    frame_hw: tuple[int, int],
    smear_xy: tuple[float, float] = (0.0, 0.0),
) -> Patch | None:
    """Return the part of a premultiplied sprite that is in the frame, or None.

    `smear_xy` (pixels) is a motion blur along that vector; `solid` remains that of the sharp outline.
    """
    height, width = sprite.shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    reach = np.abs(smear_xy) / 2.0
    left, top = np.maximum(np.floor(corners.min(axis=0) - reach).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0) + reach).astype(int) + 1, frame_hw[::-1])
    if right <= left or bottom <= top:
        return None
    local = matrix - np.array([[0.0, 0.0, left], [0.0, 0.0, top]])
    rgba = cv2.warpAffine(sprite, local, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    solid = rgba[:, :, 3] > _SOLID
    return Patch(top=int(top), left=int(left), rgba=_smeared(rgba, smear_xy=smear_xy), solid=solid)


def blend(frame: UInt8[np.ndarray, "H W 3"], patch: Patch) -> None:
    """Blend `patch` into `frame` in place."""
    under = frame[patch.area]
    through = 255 - patch.rgba[:, :, 3]
    shown = cv2.multiply(under, cv2.merge([through, through, through]), scale=1.0 / 255.0)
    cv2.add(shown, np.ascontiguousarray(patch.rgba[:, :, :3]), dst=shown)
    frame[patch.area] = shown


def _smeared(
    rgba: UInt8[np.ndarray, "h w 4"], *, smear_xy: tuple[float, float]
) -> UInt8[np.ndarray, "h w 4"]:
    if max(map(abs, smear_xy)) < _MIN_BLUR_PX:
        return rgba
    size = 2 * math.ceil(max(map(abs, smear_xy)) / 2.0) + 1
    middle, half = size // 2, np.asarray(smear_xy) / 2.0
    kernel = np.zeros((size, size), dtype=np.float32)
    begin, end = ((round(middle + side * half[0]), round(middle + side * half[1])) for side in (-1, 1))
    cv2.line(kernel, begin, end, (1.0,), 1)
    blurred: UInt8[np.ndarray, "h w 4"] = cv2.filter2D(
        rgba, -1, kernel / kernel.sum(), borderType=cv2.BORDER_CONSTANT
    )
    return blurred
