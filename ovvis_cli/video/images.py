"""Reading of a folder of images as a video."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ovvis_cli.errors import VideoError
from ovvis_cli.video.frames import Frame, ReadReport, VideoInfo
from ovvis_cli.video.inputs import images_of, no_media_in, no_such_file
from ovvis_cli.video.selection import Selection
from ovvis_cli.video.timing import DEFAULT_RATE


def probe_images(path: Path, *, rate: Fraction | None = None) -> VideoInfo:
    """Return the description of an image folder (or one image), from its first readable image.

    `rate` is in images per second.

    Raises:
        VideoError: the path does not exist, has no image, or no readable image.
    """
    frame = next(read_images(path, selection=Selection(), report=ReadReport()))
    used_rate = rate or DEFAULT_RATE
    num_images = len(images_of(path))
    height, width, _ = frame.image.shape
    return VideoInfo(
        width=width,
        height=height,
        duration_s=float(num_images / used_rate),
        num_frames_estimate=num_images,
        average_rate=used_rate,
        rate_origin="given" if rate else "assumed",
        time_base=1 / used_rate,
        rotation_deg=0,
        has_audio=False,
        codec=path.suffix.lower().lstrip(".") if path.is_file() else "images",
        kind="images",
    )


def read_images(
    path: Path, *, selection: Selection, report: ReadReport, rate: Fraction | None = None
) -> Iterator[Frame]:
    """Yield the selected images in natural order, each at its own size, rotated upright by its EXIF data.

    `frame_index` is the position in the folder. An unreadable image is listed in `report` and its index is
    skipped. Images have no time stamps; `rate` is the number shown per second.

    Raises:
        VideoError: as `probe_images`.
    """
    if not path.exists():
        raise no_such_file(path)
    images = images_of(path)
    if not images:
        raise no_media_in(path)
    report.expected_frames = len(images)
    for frame_index, image_path in enumerate(images):
        time_s = float(frame_index / (rate or DEFAULT_RATE))
        choice = selection.choose(frame_index=frame_index, time_s=time_s)
        if choice == "stop":
            break
        if choice == "skip":
            continue
        try:
            image = _read_image(image_path)
        except (OSError, cv2.error) as error:
            report.add_damaged_image(image_path.name, error)
            continue
        report.frames_decoded += 1
        yield Frame(frame_index=frame_index, time_s=time_s, image=image, image_name=image_path.name)
    if report.errors == len(images):
        raise VideoError(f"{path.name}: no image is readable", hint=report.first_error)


def _read_image(path: Path) -> UInt8[np.ndarray, "H0 W0 3"]:
    # decode from memory: cv2.imread cannot open non-ASCII names on Windows
    encoded = np.fromfile(path, dtype=np.uint8)
    # IMREAD_COLOR applies EXIF rotation, drops alpha, expands grey to RGB and reduces 16 bits to 8
    with quiet_decoder():
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if image is None:
        raise OSError(f"{path.name} is not a readable image")
    return rgb_image(image)


def rgb_image(image: np.ndarray) -> UInt8[np.ndarray, "H0 W0 3"]:
    """Convert an image that OpenCV decoded as BGR or BGRA to RGB."""
    code = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), dtype=np.uint8)


@contextmanager
def quiet_decoder() -> Iterator[None]:
    """Silence OpenCV's messages about damaged files on stderr; `ReadReport` reports them in one line."""
    log_level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(log_level)
