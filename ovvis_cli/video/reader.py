"""Reading any source: `probe` describes it, `read_frames` yields its frames, `prefetch` decodes ahead."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from ovvis_cli.errors import UsageError
from ovvis_cli.video.animation import probe_animation, read_animation
from ovvis_cli.video.camera import probe_camera, read_camera
from ovvis_cli.video.decoding import probe_video, read_video
from ovvis_cli.video.frames import Frame, ReadReport, SourceKind, VideoInfo
from ovvis_cli.video.images import probe_images, read_images
from ovvis_cli.video.inputs import display_name, location_kind
from ovvis_cli.video.prefetch import prefetch
from ovvis_cli.video.selection import Selection

__all__ = ["Frame", "ReadReport", "SourceKind", "VideoInfo", "probe", "read_frames", "prefetch"]


def probe(location: str | Path, *, rate: Fraction | None = None) -> VideoInfo:
    """Describes a video file, image folder, image, URL or camera number; decodes its first frame.

    `rate` is used where the source has no times of its own; `VideoInfo.rate_origin` tells.

    Raises:
        VideoError: it does not exist, is no video, or no frame of it can be decoded.
    """
    match location_kind(location):
        case "images":
            return probe_images(Path(location), rate=rate)
        case "animation":
            return probe_animation(Path(location), rate=rate)
        case "camera":
            return probe_camera(int(str(location)))
        case "file" | "url":
            return probe_video(location, rate=rate)


def read_frames(
    location: str | Path,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    stride: int = 1,
    skip_frames: int = 0,
    rate: Fraction | None = None,
    report: ReadReport | None = None,
) -> Iterator[Frame]:
    """Yields the frames whose time is in [start_s, end_s), every `stride`-th of them from the first on.

    Nothing is sought: every frame from the beginning is decoded and counted, so that `frame_index` is exact
    and a reading that is resumed gives the same frames. A frame may differ in size from the one before.

    Args:
        location: What `probe` takes.
        start_s: Frames before are left out.
        end_s: Frames from here on are left out.
        stride: Which of the remaining frames come.
        skip_frames: Frames with a smaller `frame_index` are left out, without changing which others come;
            this is how a killed run goes on.
        rate: Frames a second of images and of raw streams; None for the stream's own, or 25.
        report: Filled with what was read and lost; damage raises only when no frame at all can be decoded.

    Raises:
        UsageError: the arguments make no sense, or no frame lies in the range.
        VideoError: as `probe`.
    """
    selection = Selection(start_s=start_s, end_s=end_s, stride=stride, skip_frames=skip_frames)
    report = ReadReport() if report is None else report
    return _read(location, selection=selection, report=report, rate=rate)


def _read(
    location: str | Path, *, selection: Selection, report: ReadReport, rate: Fraction | None
) -> Iterator[Frame]:
    match location_kind(location):
        case "images":
            yield from read_images(Path(location), selection=selection, report=report, rate=rate)
        case "animation":
            yield from read_animation(Path(location), selection=selection, report=report, rate=rate)
        case "camera":
            yield from read_camera(int(str(location)), selection=selection, report=report)
        case "file" | "url":
            yield from read_video(location, selection=selection, report=report, rate=rate)
    if selection.is_empty:
        raise UsageError(f"{display_name(location)}: no frame {selection}")
