"""Reading of animations that FFmpeg does not decode: animated WebP, and TIFF files of several pages."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ovvis_cli.errors import VideoError
from ovvis_cli.video.frames import Frame, ReadReport, VideoInfo
from ovvis_cli.video.image_types import TIFF_SIGNATURES, tiff_pages
from ovvis_cli.video.images import quiet_decoder, rgb_image
from ovvis_cli.video.selection import Selection
from ovvis_cli.video.timing import DEFAULT_RATE

_MAX_PIXELS_AT_ONCE = 1 << 25  # decoded pixels in memory, 4 bytes each
_DEFAULT_DURATION_MS = 100  # of a frame without a duration, as in browsers


def probe_animation(path: Path, *, rate: Fraction | None = None) -> VideoInfo:
    """Return the description of an animation, from its first frame.

    `rate` is the frame rate of TIFF pages, which have no time stamps.

    Raises:
        VideoError: no frame can be read.
    """
    frame = next(read_animation(path, selection=Selection(), report=ReadReport(), rate=rate))
    height, width, _ = frame.image.shape
    num_frames = _num_pictures(path)
    is_tiff = _is_tiff(path)
    page_rate = (rate or DEFAULT_RATE) if is_tiff else None
    return VideoInfo(
        width=width,
        height=height,
        duration_s=float(num_frames / page_rate) if page_rate else None,
        num_frames_estimate=num_frames,
        average_rate=page_rate,
        rate_origin="time stamps" if not is_tiff else "assumed" if rate is None else "given",
        time_base=1 / page_rate if page_rate else Fraction(1, 1000),
        rotation_deg=0,
        has_audio=False,
        codec="tiff" if is_tiff else "webp",
        kind="video",
    )


def read_animation(
    path: Path, *, selection: Selection, report: ReadReport, rate: Fraction | None = None
) -> Iterator[Frame]:
    """Yield the selected frames with their times; damaged frames are counted in `report`.

    Raises:
        VideoError: no frame can be read.
    """
    report.expected_frames = _num_pictures(path)
    pictures = _tiff_pictures(path, rate=rate) if _is_tiff(path) else _webp_pictures(path)
    num_read = 0
    for frame_index, (time_s, image) in enumerate(pictures):
        if image is None:
            report.add_error(VideoError(f"frame {frame_index} is damaged"))
            continue
        report.frames_decoded += 1
        num_read += 1
        choice = selection.choose(frame_index=frame_index, time_s=float(time_s))
        if choice == "stop":
            return
        if choice == "take":
            yield Frame(frame_index=frame_index, time_s=float(time_s), image=rgb_image(image))
    if not num_read:
        raise VideoError(f"{path.name}: no frame is readable", hint="it is damaged; copy it again")


def _tiff_pictures(path: Path, *, rate: Fraction | None) -> Iterator[tuple[Fraction, np.ndarray | None]]:
    with path.open("rb") as file:
        pages = tiff_pages(file)
    for number, page in enumerate(pages):
        with quiet_decoder():
            _, images = cv2.imreadmulti(str(path), start=page, count=1, flags=cv2.IMREAD_COLOR)
        yield number / (rate or DEFAULT_RATE), images[0] if images else None


def _webp_pictures(path: Path) -> Iterator[tuple[Fraction, np.ndarray | None]]:
    """Yield the frames with their times, decoded in chunks because OpenCV only decodes ranges of frames."""
    num_pictures, num_read, chunk, time_s = _num_pictures(path), 0, 1, Fraction(0)
    while num_read < num_pictures:
        with quiet_decoder():
            _, animation = cv2.imreadanimation(str(path), start=num_read, count=chunk)
        images = animation.frames
        if not images:  # frames after a damaged one depend on it
            break
        for image, duration_ms in zip(images, animation.durations, strict=True):
            yield time_s, image
            time_s += Fraction(int(duration_ms) or _DEFAULT_DURATION_MS, 1000)
        num_read += len(images)
        height, width = images[0].shape[:2]
        chunk = max(1, _MAX_PIXELS_AT_ONCE // (height * width))
    for _ in range(num_read, num_pictures):
        yield time_s, None


def _num_pictures(path: Path) -> int:
    if _is_tiff(path):
        with path.open("rb") as file:
            return len(tiff_pages(file))
    with quiet_decoder():
        return int(cv2.imcount(str(path)))


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in TIFF_SIGNATURES
