"""Letterboxing: pictures of several sizes scaled into frames of one size, centered, with black bars."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8


def letterbox_image(
    image: UInt8[np.ndarray, "h w 3"], *, frame_hw: tuple[int, int]
) -> UInt8[np.ndarray, "H0 W0 3"]:
    """Return the picture letterboxed to this (height, width); the same array if it already has that size."""
    if image.shape[:2] == frame_hw:
        return image
    rows, columns = _place(image.shape[:2], frame_hw=frame_hw)
    frame = np.zeros((*frame_hw, 3), dtype=np.uint8)
    size_wh = (columns.stop - columns.start, rows.stop - rows.start)
    shrinks = size_wh[0] < image.shape[1]
    frame[rows, columns] = cv2.resize(
        image, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return frame


def letterbox_mask(mask: Bool[np.ndarray, "h w"], *, frame_hw: tuple[int, int]) -> Bool[np.ndarray, "H0 W0"]:
    """Return the mask of a picture as `letterbox_image` places the picture."""
    if mask.shape == frame_hw:
        return mask
    rows, columns = _place(mask.shape, frame_hw=frame_hw)
    frame = np.zeros(frame_hw, dtype=bool)
    size_wh = (columns.stop - columns.start, rows.stop - rows.start)
    frame[rows, columns] = cv2.resize(mask.astype(np.uint8), size_wh, interpolation=cv2.INTER_NEAREST) > 0
    return frame


def _place(own_hw: tuple[int, ...], *, frame_hw: tuple[int, int]) -> tuple[slice, slice]:
    scale = min(frame_hw[0] / own_hw[0], frame_hw[1] / own_hw[1])
    height, width = (
        min(available, max(1, round(length * scale)))
        for length, available in zip(own_hw, frame_hw, strict=True)
    )
    top, left = (frame_hw[0] - height) // 2, (frame_hw[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)
