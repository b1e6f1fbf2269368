"""Batches of frames of one size."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2

from ovvis_cli.video.reader import Frame

logger = logging.getLogger(__name__)


def of_one_size(frames: Iterable[Frame], *, frame_hw: tuple[int, int], name: str) -> Iterator[Frame]:
    """Yield the frames, resized to `frame_hw` where their size differs.

    The first resized frame is logged as a warning with the video's `name`.
    """
    warned = False
    for frame in frames:
        height, width = frame.image.shape[:2]
        if (height, width) == frame_hw:
            yield frame
            continue
        if not warned:
            logger.warning(
                "%s: frames of %dx%d from %.2f s on are resized to the first size, %dx%d",
                name,
                width,
                height,
                frame.time_s,
                frame_hw[1],
                frame_hw[0],
            )
            warned = True
        shrinks = height * width > frame_hw[0] * frame_hw[1]
        image = cv2.resize(
            frame.image, frame_hw[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        yield replace(frame, image=image)


def batches(frames: Iterable[Frame], *, size: int) -> Iterator[list[Frame]]:
    """Yield lists of `size` frames of one image size, in order.

    The last list, and a list before a change of image size, may be shorter.

    Raises:
        ValueError: `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"a batch needs at least one frame, got {size}")
    batch: list[Frame] = []
    for frame in frames:
        if batch and frame.image.shape != batch[0].image.shape:
            yield batch
            batch = []
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
