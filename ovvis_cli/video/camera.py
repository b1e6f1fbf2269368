"""Reading a camera with OpenCV, which, unlike PyAV, numbers cameras the same way on all systems."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import cv2
import numpy as np

from ovvis_cli.errors import VideoError
from ovvis_cli.video.frames import Frame, ReadReport, VideoInfo
from ovvis_cli.video.images import quiet_decoder
from ovvis_cli.video.selection import Selection


def probe_camera(index: int) -> VideoInfo:
    """Read one frame of a camera and return the camera's description.

    Raises:
        VideoError: the camera cannot be opened or returns no frame.
    """
    with _opened(index) as capture:
        ok, image = capture.read()
        if not ok:
            raise _no_picture(index)
        rate = capture.get(cv2.CAP_PROP_FPS)
    height, width = image.shape[:2]
    return VideoInfo(
        width=width,
        height=height,
        duration_s=None,
        num_frames_estimate=None,
        average_rate=Fraction(rate).limit_denominator(1001) if rate > 0 else None,
        time_base=None,
        rotation_deg=0,
        has_audio=False,
        codec="camera",
        kind="stream",
    )


def read_camera(index: int, *, selection: Selection, report: ReadReport) -> Iterator[Frame]:
    """Yield the selected frames with their arrival time since the first one, until the camera stops.

    Raises:
        VideoError: as `probe_camera`.
    """
    with _opened(index) as capture:
        start_s = last_s = 0.0
        while True:
            ok, image = capture.read()
            if not ok:
                break
            now_s = time.monotonic()
            start_s = start_s or now_s
            last_s = max(now_s - start_s, math.nextafter(last_s, math.inf) if report.frames_decoded else 0.0)
            frame_index = report.frames_decoded
            report.frames_decoded += 1
            choice = selection.choose(frame_index=frame_index, time_s=last_s)
            if choice == "stop":
                return
            if choice == "take":
                rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                yield Frame(frame_index=frame_index, time_s=last_s, image=rgb)
    if not report.frames_decoded:
        raise _no_picture(index)


@contextmanager
def _opened(index: int) -> Iterator[cv2.VideoCapture]:
    with quiet_decoder():
        capture = cv2.VideoCapture(index)
    try:
        if not capture.isOpened():
            raise VideoError(
                f"camera {index}: cannot be opened",
                hint="check that it is connected, not in use, and that this program may use cameras",
            )
        yield capture
    finally:
        capture.release()


def _no_picture(index: int) -> VideoError:
    return VideoError(f"camera {index}: returned no frame", hint="check whether another program is using it")
