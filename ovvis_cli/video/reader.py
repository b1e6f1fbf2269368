"""Reading of any source: `probe` describes it, `read_frames` yields its frames, `prefetch` buffers them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from ovvis_cli.errors import UsageError
from ovvis_cli.video.animation import probe_animation, read_animation
from ovvis_cli.video.camera import probe_camera, read_camera
from ovvis_cli.video.decoding import probe_video, read_video
from ovvis_cli.video.frames import Frame, ReadReport, SourceKind, VideoInfo
from ovvis_cli.video.images import probe_images, read_images
from ovvis_cli.video.location import Location, parse_location
from ovvis_cli.video.prefetch import prefetch
from ovvis_cli.video.selection import Selection

__all__ = ["Frame", "ReadReport", "SourceKind", "VideoInfo", "probe", "read_frames", "prefetch"]


def probe(location: str | Path | Location, *, rate: Fraction | None = None) -> VideoInfo:
    """Return the description of a video file, image folder, image, URL or camera; decodes one frame.

    `rate` is used if the source has no time stamps; `VideoInfo.rate_origin` says where the rate comes from.

    Raises:
        VideoError: the source does not exist, is not a video, or no frame of it can be decoded.
    """
    source = parse_location(location)
    match source.kind:
        case "images":
            return probe_images(source.path, rate=rate)
        case "animation":
            return probe_animation(source.path, rate=rate)
        case "camera":
            return probe_camera(int(source.text))
        case "file" | "url":
            return probe_video(source, rate=rate)


def read_frames(
    location: str | Path | Location,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    stride: int = 1,
    skip_frames: int = 0,
    rate: Fraction | None = None,
    report: ReadReport | None = None,
) -> Iterator[Frame]:
    """Yield the frames whose time is in [start_s, end_s), every `stride`-th of them from the first on.

    There is no seeking: every frame is decoded and counted from the start of the source, so that
    `frame_index` is exact and a resumed run reads the same frames. Frames may differ in size.

    Args:
        location: as for `probe`.
        start_s: skip frames before this time.
        end_s: stop at this time.
        stride: take every `stride`-th of the remaining frames.
        skip_frames: skip frames with a smaller `frame_index`, without affecting which later frames are taken;
            used to resume a run.
        rate: frames per second of images and raw streams; None for the rate that the stream states, or 25.
        report: filled with counts of read and lost frames; damage raises only if no frame can be decoded.

    Raises:
        UsageError: an argument is out of range, or no frame lies in the time range.
        VideoError: as `probe`.
    """
    selection = Selection(start_s=start_s, end_s=end_s, stride=stride, skip_frames=skip_frames)
    report = ReadReport() if report is None else report
    return _read(parse_location(location), selection=selection, report=report, rate=rate)


def _read(
    source: Location, *, selection: Selection, report: ReadReport, rate: Fraction | None
) -> Iterator[Frame]:
    match source.kind:
        case "images":
            yield from read_images(source.path, selection=selection, report=report, rate=rate)
        case "animation":
            yield from read_animation(source.path, selection=selection, report=report, rate=rate)
        case "camera":
            yield from read_camera(int(source.text), selection=selection, report=report)
        case "file" | "url":
            yield from read_video(source, selection=selection, report=report, rate=rate)
    if selection.is_empty:
        raise UsageError(f"{source.display_name}: no frame {selection}")
