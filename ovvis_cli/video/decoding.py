"""Decoding of video with PyAV: every decodable frame, upright, as 8-bit RGB, with its time."""

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
import av.error
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Colorspace, VideoReformatter
from jaxtyping import UInt8

from ovvis_cli.errors import VideoError
from ovvis_cli.video.container import (
    OpenVideo,
    duration_of,
    fraction,
    has_timestamps,
    kind_of,
    open_video,
    rate_of,
    unread_streams,
)
from ovvis_cli.video.frames import Frame, RateOrigin, ReadReport, VideoInfo
from ovvis_cli.video.location import Location
from ovvis_cli.video.orientation import Orientation, orientation_of
from ovvis_cli.video.selection import Selection
from ovvis_cli.video.timing import DEFAULT_RATE, Timeline

_KNOWN_SPACES = frozenset(int(space) for space in Colorspace)  # AVColorSpace uses the same numbers
_HD_HEIGHT_PX = 720
_LOSS_TOLERANCE_S = 0.5  # if the header has a duration but no frame count


def probe_video(location: Location, *, rate: Fraction | None = None) -> VideoInfo:
    """Return the description of a video, from its header and first frame.

    `rate` is the given frame rate of a raw stream.

    Raises:
        VideoError: the video cannot be opened, has no video stream, or no frame can be decoded.
    """
    with open_video(location) as video:
        frame = next(_decoded(video, report=ReadReport()))
        orientation = _orientation(frame)
        height, width = (frame.width, frame.height) if orientation.transpose else (frame.height, frame.width)
        average_rate, rate_origin = _rate(video, given=rate)
        duration_s = duration_of(video)
        estimate = video.stream.frames or (
            round(duration_s * average_rate) if duration_s and average_rate else None
        )
        sample_aspect = fraction(video.stream.sample_aspect_ratio) or Fraction(1)
        return VideoInfo(
            width=width,
            height=height,
            duration_s=float(duration_s) if duration_s else None,
            num_frames_estimate=estimate,
            average_rate=average_rate,
            rate_origin=rate_origin,
            sample_aspect=1 / sample_aspect if orientation.transpose else sample_aspect,
            time_base=fraction(video.stream.time_base) or None,
            rotation_deg=orientation.rotation_deg,
            has_audio=bool(video.container.streams.audio),
            codec=video.stream.codec_context.codec.canonical_name,
            kind=kind_of(video),
            left_out=unread_streams(video),
        )


def read_video(
    location: Location, *, selection: Selection, report: ReadReport, rate: Fraction | None = None
) -> Iterator[Frame]:
    """Yield the selected frames; other frames are decoded and counted, but not converted to RGB.

    Damage is counted in `report` and skipped. `rate` is the given frame rate of a raw stream.

    Raises:
        VideoError: as `probe_video`.
    """
    with open_video(location) as video:
        reformatter = VideoReformatter()
        end_s = 0.0
        report.expected_frames = video.stream.frames or None
        step_s, frames = _timed(video, report=report, rate=rate)
        for exact_time_s, offset_s, frame in frames:
            frame_index = report.frames_decoded
            report.frames_decoded += 1
            time_s = float(exact_time_s)
            end_s = time_s + max(_duration_s(frame), step_s)
            choice = selection.choose(frame_index=frame_index, time_s=time_s)
            if choice == "stop":
                return
            if choice == "take":
                image = _rgb(frame, reformatter=reformatter)
                yield Frame(frame_index=frame_index, time_s=time_s, image=image, offset_s=offset_s)
        _account_for_loss(video, report=report, end_s=end_s, step_s=step_s)


def _rate(video: OpenVideo, *, given: Fraction | None) -> tuple[Fraction | None, RateOrigin]:
    """Return the average frames per second and its origin; None only if there are time stamps."""
    stated = rate_of(video)
    if has_timestamps(video):
        return stated, "time stamps"
    if given is not None:
        return given, "given"
    return (DEFAULT_RATE, "assumed") if stated is None else (stated, "stated")


def _timed(
    video: OpenVideo, *, report: ReadReport, rate: Fraction | None
) -> tuple[float, Iterator[tuple[Fraction, Fraction, av.VideoFrame]]]:
    """Return the usual frame interval, and an iterator of (time, offset, frame); times in seconds."""
    known_rate, origin = _rate(video, given=rate)
    step_s = 1 / (known_rate or DEFAULT_RATE)
    time_base = fraction(video.stream.time_base)

    def stamp_s(frame: av.VideoFrame) -> Fraction | None:
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None or origin in {"given", "assumed"}:  # FFmpeg's time stamps are only assumptions
            return None
        return stamp * time_base - video.origin_s

    timeline: Timeline[av.VideoFrame] = Timeline(step_s=step_s, start_at_zero=True)
    timed = timeline.timed(_decoded(video, report=report), stamp_s=stamp_s)
    return float(step_s), ((time_s, timeline.offset_s, frame) for time_s, frame in timed)


def _decoded(video: OpenVideo, *, report: ReadReport) -> Iterator[av.VideoFrame]:
    """Yield every frame that can be decoded. Raises VideoError if there is none."""
    num_frames = 0
    packets = video.container.demux(video.stream)
    flushed = False
    while not flushed:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            report.add_error(error)  # the container is damaged here: flush the decoder
            packet = None
        flushed = packet is None or packet.size == 0
        try:
            frames = video.stream.decode(None if flushed else packet)
        except av.error.EOFError:
            break
        except av.error.FFmpegError as error:
            report.add_error(error)
            continue
        num_frames += len(frames)
        yield from frames
    if not num_frames:
        reason = f": {report.first_error}" if report.first_error else ""
        name = video.location.display_name
        raise VideoError(f"{name}: no frame could be decoded{reason}", hint="it is empty or damaged")


def _rgb(frame: av.VideoFrame, *, reformatter: VideoReformatter) -> UInt8[np.ndarray, "H0 W0 3"]:
    """Convert a frame to upright 8-bit RGB: bit depth is reduced, grey expanded and alpha dropped.

    Transparent pixels keep their stored color; high dynamic range is not tone-mapped.
    """
    space = int(frame.colorspace)
    if space not in _KNOWN_SPACES:  # unspecified: use what players assume
        space = Colorspace.ITU709 if frame.height >= _HD_HEIGHT_PX else Colorspace.ITU601
    try:
        converted = reformatter.reformat(frame, format="rgb24", src_colorspace=space, threads=1)
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(f"cannot convert frames from {frame.format.name} to RGB: {error}") from error
    return _orientation(frame).apply(cast(np.ndarray, converted.to_ndarray()))


def _orientation(frame: av.VideoFrame) -> Orientation:
    matrix = cast("dict[object, bytes]", frame.side_data).get(SideDataType.DISPLAYMATRIX)
    return orientation_of(None if matrix is None else bytes(matrix))


def _duration_s(frame: av.VideoFrame) -> float:
    return float((frame.duration or 0) * fraction(frame.time_base))


def _account_for_loss(video: OpenVideo, *, report: ReadReport, end_s: float, step_s: float) -> None:
    """Compare decoded frames with the header and report what is missing, after everything was read."""
    stream = video.stream
    if stream.frames and report.frames_decoded >= stream.frames:
        return
    if not stream.frames and not stream.duration and len(video.container.streams) > 1:
        return  # only the file's duration is known, which may be that of its sound
    tolerance_s = 2 * step_s if stream.frames else max(_LOSS_TOLERANCE_S, 2 * step_s)
    duration_s = duration_of(video)
    if duration_s and duration_s - end_s > tolerance_s:
        report.lost_s = float(duration_s) - end_s
