"""Pseudo-video: one image that drifts and turns, as a training video with exact masks.

After GenVIS (Heo et al., CVPR 2023): a crop moves in a straight line, and the image turns one way about a
point near its middle. Any image with masks of its objects will do.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

MIN_CROP = 0.6  # smallest side of the crop, as a share of the image
MAX_ANGLE_DEG = 15.0
MIDDLE = (0.4, 0.6)  # where the centre of rotation lies, as a share of the image


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoVideo:
    """A video of N objects; a row of `masks` is all False where its object is out of the crop."""

    frames: UInt8[np.ndarray, "T H W 3"]
    masks: Bool[np.ndarray, "T N H W"]


def pseudo_video(
    image: UInt8[np.ndarray, "H W 3"],
    masks: Bool[np.ndarray, "N H W"],
    rng: np.random.Generator,
    *,
    num_frames: int,
) -> PseudoVideo:
    """Return a video of the image's size, in which the image drifts and turns.

    Raises:
        ValueError: there is no frame to make.
    """
    if num_frames < 1:
        raise ValueError("a pseudo-video has at least one frame")
    height, width = image.shape[:2]
    frames = np.empty((num_frames, height, width, 3), dtype=np.uint8)
    moved = np.empty((num_frames, len(masks), height, width), dtype=bool)
    for step, matrix in enumerate(motion(rng, num_frames=num_frames, hw=(height, width))):
        frames[step] = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        for index, mask in enumerate(masks):
            warped = cv2.warpAffine(mask.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
            moved[step, index] = warped > 0
    return PseudoVideo(frames=frames, masks=moved)


def motion(rng: np.random.Generator, *, num_frames: int, hw: tuple[int, int]) -> Float[np.ndarray, "T 2 3"]:
    """Return the matrix of each frame, from pixels of the image to pixels of the frame.

    The crop's corner goes from one place to another in equal steps; angles are sorted, so the image turns one
    way, in half of the videos the other.
    """
    height, width = hw
    zoom = 1.0 / rng.uniform(MIN_CROP, 1.0)
    room = np.array([width, height]) * (1.0 - 1.0 / zoom)
    first, last = rng.uniform(0.0, 1.0, (2, 2)) * room
    center = rng.uniform(*MIDDLE, 2) * (width, height)
    angles = np.sort(rng.uniform(-MAX_ANGLE_DEG, MAX_ANGLE_DEG, num_frames))
    if rng.random() < 0.5:
        angles = angles[::-1]
    flip = rng.random() < 0.5
    matrices = []
    for share, angle in zip(np.linspace(0.0, 1.0, num_frames), angles, strict=True):
        corner = first + share * (last - first)
        turn = cv2.getRotationMatrix2D((float(center[0]), float(center[1])), float(angle), 1.0)
        crop = np.array([[zoom, 0.0, -zoom * corner[0]], [0.0, zoom, -zoom * corner[1]], [0.0, 0.0, 1.0]])
        mirror = np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) if flip else np.eye(3)
        matrices.append((mirror @ crop @ np.vstack([turn, [0.0, 0.0, 1.0]]))[:2])
    return np.stack(matrices)
