"""Rotation of frames to upright by the display matrix that phones store."""

import struct
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import UInt8

from ovvis_cli.video.frames import RotationDeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """Transform from stored to upright pixels: transpose first, then flip."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def rotation_deg(self) -> RotationDeg:
        """Clockwise rotation; for a mirrored image, the rotation after mirroring left to right."""
        flip_x = self.flip_x ^ self.mirrored
        if self.transpose:
            return 90 if flip_x else 270
        return 180 if flip_x else 0

    @property
    def mirrored(self) -> bool:
        """Whether the image is mirrored as well as rotated."""
        return self.transpose ^ self.flip_x ^ self.flip_y

    def apply(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H0 W0 3"]:
        """Return the upright image: the same array if it is upright already, else a contiguous copy."""
        if self == Orientation():
            return image
        upright = image.swapaxes(0, 1) if self.transpose else image
        upright = upright[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.ascontiguousarray(upright)


def orientation_of(display_matrix: bytes | None) -> Orientation:
    """Return the orientation nearest to a display matrix (libavutil's nine native 32-bit integers)."""
    if display_matrix is None or len(display_matrix) < 36:
        return Orientation()
    a, b, _, c, d, *_ = cast("tuple[int, ...]", struct.unpack("=9i", display_matrix[:36]))
    # x' = a x + c y, y' = b x + d y; other angles are rounded to the nearest multiple of 90 degrees
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return Orientation(flip_x=a < 0, flip_y=d < 0)
