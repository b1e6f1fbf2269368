"""Decoding video files and streams with PyAV: open, choose the stream, decode what can be decoded, turn upright."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import UInt8

from ovvis_cli.errors import VideoError
from ovvis_cli.video.frames import Frame, ReadReport, SourceKind, VideoInfo
from ovvis_cli.video.inputs import display_name, location_kind, no_such_file
from ovvis_cli.video.orientation import Orientation, orientation_of
from ovvis_cli.video.selection import Selection
from ovvis_cli.video.timing import FrameClock

_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})  # libavformat draws text files as terminal art
_TIMEOUT_S = (15.0, 15.0)  # open, read; for the network
_BT601, _BT709, _UNSPECIFIED = 5, 1, (0, 2, 3)  # AVColorSpace
_HD_HEIGHT_PX = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVideo:
    """A container opened for reading and its picture stream."""

    container: InputContainer
    stream: VideoStream
    location: str
    origin_s: Fraction  # time stamp of the source's start


def probe_video(location: str | Path) -> VideoInfo:
    """Describes a video by its header and its first frame.

    Raises:
        VideoError: it cannot be opened, has no picture, or no frame of it can be decoded.
    """
    with open_video(location) as video:
        frame = next(_decoded(video, report=ReadReport()))
        orientation = _orientation(frame)
        height, width = (frame.width, frame.height) if orientation.transpose else (frame.height, frame.width)
        stream = video.stream
        duration_s = _duration_s(video)
        rate = rate_of(stream)
        estimate = stream.frames or (round(duration_s * rate) if duration_s and rate else None)
        return VideoInfo(
            width=width,
            height=height,
            duration_s=float(duration_s) if duration_s else None,
            num_frames_estimate=estimate,
            average_rate=rate,
            time_base=fraction(stream.time_base),
            rotation_deg=orientation.rotation_deg,
            has_audio=bool(video.container.streams.audio),
            codec=stream.codec_context.name,
            kind=_kind(video),
        )


def read_video(location: str | Path, *, selection: Selection, report: ReadReport) -> Iterator[Frame]:
    """Yields the selected frames; all others up to the last of them are decoded and counted, but not converted.

    Damage is counted in `report` and reading goes on behind it.

    Raises:
        VideoError: as `probe_video`.
    """
    with open_video(location) as video:
        rate = rate_of(video.stream)
        clock = FrameClock(time_base=fraction(video.stream.time_base), rate=rate, origin_s=video.origin_s)
        reformatter = VideoReformatter()
        end_s = 0.0
        report.expected_frames = video.stream.frames or None
        for frame in _decoded(video, report=report):
            frame_index = report.frames_decoded
            report.frames_decoded += 1
            time_s = clock.time_s(frame.pts if frame.pts is not None else frame.dts)
            end_s = time_s + max(_duration_of(frame), clock.step_s)
            choice = selection.choose(frame_index=frame_index, time_s=time_s)
            if choice == "stop":
                return
            if choice == "take":
                yield Frame(frame_index=frame_index, time_s=time_s, image=_rgb(frame, reformatter=reformatter))
        _account_for_loss(video, report=report, end_s=end_s, step_s=clock.step_s)


@contextmanager
def open_video(location: str | Path) -> Iterator[OpenVideo]:
    """Opens a file or URL and chooses its picture stream.

    Raises:
        VideoError: no such file, not a video, no picture in it, or no decoder for it.
    """
    with open_container(location) as container:
        name = display_name(location)
        stream = _picture_stream(container, name=name)
        if stream.codec_context is None:
            raise VideoError(f"{name}: no decoder for its picture", hint="convert it to H.264 first")
        stream.thread_type = "AUTO"
        yield OpenVideo(
            container=container, stream=stream, location=str(location), origin_s=_origin_s(container, stream)
        )


@contextmanager
def open_container(location: str | Path) -> Iterator[InputContainer]:
    """Opens a file or URL.

    Raises:
        VideoError: no such file, or not a media file.
    """
    is_url = location_kind(location) == "url"
    try:
        container = av.open(
            # the prefix keeps names like "take:2.mp4" from being read as protocols
            str(location) if is_url else f"file:{location}",
            timeout=_TIMEOUT_S if is_url else None,
            options={"rtsp_transport": "tcp"} if str(location).startswith("rtsp") else {},
        )
    except (av.error.FFmpegError, OSError) as error:
        raise _open_error(location, error) from error
    with container:
        if container.format.name in _TEXT_FORMATS:
            raise VideoError(f"{display_name(location)}: not a video", hint="it looks like a text file")
        yield container


def _open_error(location: str | Path, error: Exception) -> VideoError:
    name = display_name(location)
    if location_kind(location) == "url":
        reason = getattr(error, "strerror", None) or str(error)
        return VideoError(f"{name}: cannot be opened: {reason}", hint="check the address and the network")
    path = Path(location)
    if isinstance(error, FileNotFoundError) or not path.exists():
        return no_such_file(location)
    if isinstance(error, PermissionError):
        return VideoError(f"{name}: may not be read", hint="check its permissions")
    if path.is_file() and path.stat().st_size == 0:
        return VideoError(f"{name}: the file is empty", hint="copy or download it again")
    return VideoError(f"{name}: not a video, or cut off before its index", hint="try to play it, or copy it again")


def _picture_stream(container: InputContainer, *, name: str) -> VideoStream:
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    pictures = [stream for stream in container.streams.video if not stream.disposition & covers]
    best = container.streams.best("video")
    if best in pictures:
        return cast(VideoStream, best)
    if pictures:
        return pictures[0]
    if container.streams.audio:
        raise VideoError(f"{name}: has sound but no picture", hint="ovvis needs a video with pictures")
    raise VideoError(f"{name}: not a video", hint="it has no picture stream")


def _decoded(video: OpenVideo, *, report: ReadReport) -> Iterator[av.VideoFrame]:
    """Yields every frame that can be decoded; raises VideoError when there is none."""
    num_frames = 0
    packets = video.container.demux(video.stream)
    flushed = False
    while not flushed:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            report.add_error(error)
            packet = None
        flushed = packet is None or packet.size == 0
        try:
            frames = video.stream.decode(None if flushed else packet)
        except av.error.EOFError:
            break
        except (av.error.FFmpegError, MemoryError) as error:
            report.add_error(error)
            continue
        num_frames += len(frames)
        yield from frames
    if not num_frames:
        reason = f": {report.first_error}" if report.first_error else ""
        raise VideoError(
            f"{display_name(video.location)}: no frame could be decoded{reason}", hint="the file is empty or damaged"
        )


def _rgb(frame: av.VideoFrame, *, reformatter: VideoReformatter) -> UInt8[np.ndarray, "H0 W0 3"]:
    """Upright RGB of 8 bits: deeper pictures are reduced, grey is spread, alpha dropped (colours as stored)."""
    space = int(frame.colorspace)
    if space in _UNSPECIFIED:
        space = _BT709 if frame.height >= _HD_HEIGHT_PX else _BT601  # what players assume
    known = space in {int(member) for member in Colorspace}
    converted = reformatter.reformat(
        frame, format="rgb24", src_colorspace=space if known else None, threads=1
    )
    return _orientation(frame).apply(cast(np.ndarray, converted.to_ndarray()))


def _orientation(frame: av.VideoFrame) -> Orientation:
    side_data = cast("dict[object, bytes]", frame.side_data)
    matrix = side_data.get(SideDataType.DISPLAYMATRIX)
    return orientation_of(None if matrix is None else bytes(matrix))


def _origin_s(container: InputContainer, stream: VideoStream) -> Fraction:
    """Time stamp that players show as zero: the container's start, as transport streams begin anywhere."""
    time_base = fraction(stream.time_base)
    starts = [
        other.start_time * fraction(other.time_base)
        for other in (*container.streams.video, *container.streams.audio)
        if other.start_time is not None and other.time_base
    ]
    own = stream.start_time * time_base if stream.start_time is not None and time_base else Fraction(0)
    # sound may begin before zero (encoder delay), which moves no picture
    return min(own, max(min(starts, default=own), Fraction(0)))


def _duration_s(video: OpenVideo) -> Fraction | None:
    """Duration by the header: of the picture stream, else of the whole file."""
    stream, container = video.stream, video.container
    if stream.duration and stream.time_base:
        return stream.duration * fraction(stream.time_base)
    return Fraction(container.duration, av.time_base) if container.duration else None


def _account_for_loss(video: OpenVideo, *, report: ReadReport, end_s: float, step_s: float) -> None:
    """Compares what came with what the header promises; only called when everything was read."""
    stream = video.stream
    others = len(video.container.streams) > 1
    if stream.frames and report.frames_decoded >= stream.frames:
        return
    if not stream.frames and not stream.duration and others:
        return  # the file's duration may be that of its sound
    duration_s = _duration_s(video)
    tolerance_s = 2 * step_s if stream.frames else max(0.5, 2 * step_s)
    if duration_s and duration_s - end_s > tolerance_s:
        report.lost_s = float(duration_s) - end_s


def _duration_of(frame: av.VideoFrame) -> float:
    return float(frame.duration * fraction(frame.time_base)) if frame.duration and frame.time_base else 0.0


def rate_of(stream: VideoStream) -> Fraction | None:
    """Average frames a second by the header."""
    return fraction(stream.average_rate or stream.guessed_rate) or None


def fraction(value: Fraction | None) -> Fraction:
    """A plain Fraction; PyAV's own rational is falsy when unset and must not leave this folder."""
    return Fraction(value.numerator, value.denominator) if value else Fraction(0)


def _kind(video: OpenVideo) -> SourceKind:
    if location_kind(video.location) != "url":
        return "video"
    return "video" if video.location.startswith(("http:", "https:")) and video.container.duration else "stream"
