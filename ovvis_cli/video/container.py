"""Opening of a video file or stream with PyAV, and the information in its header."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import av.error
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream

from ovvis_cli.errors import VideoError
from ovvis_cli.video.frames import SourceKind
from ovvis_cli.video.image_types import is_motion_jpeg
from ovvis_cli.video.inputs import no_such_file
from ovvis_cli.video.location import IMAGE_SUFFIXES, Location

_TEXT_FORMATS = frozenset(
    {"tty", "bin", "xbin", "adf", "idf"}
)  # formats in which libavformat renders text files as images
_NETWORK_TIMEOUT_S = (15.0, 15.0)  # for opening, for reading
_NO_TIMESTAMPS = cast(int, Flags.no_timestamps.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVideo:
    """A container opened for reading and its video stream."""

    container: InputContainer
    stream: VideoStream
    location: Location
    origin_s: Fraction  # time stamp of the source's start


@contextmanager
def open_video(location: Location) -> Iterator[OpenVideo]:
    """Open a file or URL and choose its video stream.

    Raises:
        VideoError: no such file, not a video, no video stream in it, or no decoder for it.
    """
    with _open_container(location) as container:
        stream = _picture_stream(container, name=location.display_name)
        # frame threading would lose frames next to a damaged packet, and different ones on each machine
        stream.thread_type = "SLICE"
        yield OpenVideo(
            container=container,
            stream=stream,
            location=location,
            origin_s=_origin_s(container, stream=stream),
        )


def duration_of(video: OpenVideo) -> Fraction | None:
    """Return the duration in seconds from the header: of the video stream, else of the whole file."""
    if video.stream.duration and video.stream.time_base:
        return video.stream.duration * fraction(video.stream.time_base)
    return Fraction(video.container.duration, av.time_base) if video.container.duration else None


def has_timestamps(video: OpenVideo) -> bool:
    """Return whether the format stores time stamps; raw streams (.h264, .h265, .mjpeg, .obu) do not."""
    return not video.container.format.flags & _NO_TIMESTAMPS


def rate_of(video: OpenVideo) -> Fraction | None:
    """Return the average frames per second from the header; None if a raw stream does not state its rate."""
    if not has_timestamps(video):  # FFmpeg's average is only an assumption there
        return fraction(video.stream.codec_context.framerate) or None
    return fraction(video.stream.average_rate or video.stream.guessed_rate) or None


def unread_streams(video: OpenVideo) -> str:
    """Return a message about the video streams that are not read, or "" if there are none."""
    num_others = len(_moving_pictures(video.container)) - 1
    if num_others < 1:
        return ""
    others = "another video stream is" if num_others == 1 else f"{num_others} other video streams are"
    return f"stream {video.stream.index} is read, {others} ignored"


def kind_of(video: OpenVideo) -> SourceKind:
    """Return "video" for what can be read twice (files, and web addresses of known length), else "stream"."""
    if video.location.kind != "url":
        return "video"
    return "video" if video.location.text.startswith("http") and video.container.duration else "stream"


def fraction(value: Fraction | None) -> Fraction:
    """Return a plain Fraction for PyAV's rational type, 0 for None."""
    return Fraction(value.numerator, value.denominator) if value else Fraction(0)


@contextmanager
def _open_container(location: Location) -> Iterator[InputContainer]:
    is_url = location.kind == "url"
    try:
        container = av.open(
            # the prefix prevents names like "take:2.mp4" from being parsed as protocols
            location.text if is_url else f"file:{location}",
            # FFmpeg would read only the first image of a Motion JPEG file named .jpg
            format="mjpeg" if not is_url and is_motion_jpeg(location.path) else None,
            timeout=_NETWORK_TIMEOUT_S if is_url else None,
            options={"rtsp_transport": "tcp"} if location.text.startswith("rtsp") else {},
            metadata_errors="replace",  # ignore titles in unknown encodings
        )
    except (av.error.FFmpegError, OSError) as error:
        raise _open_error(location, error) from error
    with container:
        if container.format.name in _TEXT_FORMATS:
            raise VideoError(f"{location.display_name}: not a video", hint="it looks like a text file")
        yield container


def _open_error(location: Location, error: Exception) -> VideoError:
    name = location.display_name
    if location.kind == "url":
        reason = getattr(error, "strerror", None) or str(error)
        return VideoError(f"{name}: cannot be opened: {reason}", hint="check the address and the network")
    path = location.path
    if not path.exists():
        return no_such_file(path)
    if isinstance(error, PermissionError):
        return VideoError(f"{name}: permission denied", hint="check its permissions")
    if path.is_file() and path.stat().st_size == 0:
        return VideoError(f"{name}: the file is empty", hint="copy or download it again")
    what = "an image" if path.suffix.lower() in IMAGE_SUFFIXES else "a video"
    return VideoError(
        f"{name}: not {what}, or truncated before its index", hint="try to play it, or copy it again"
    )


def _picture_stream(container: InputContainer, *, name: str) -> VideoStream:
    pictures = _moving_pictures(container)
    if not pictures:
        if container.streams.audio:
            raise VideoError(f"{name}: contains only sound", hint="give a file with a video stream")
        raise VideoError(f"{name}: not a video", hint="it has no video stream")
    decodable = [stream for stream in pictures if stream.codec_context is not None]
    if not decodable:
        raise VideoError(f"{name}: no decoder for its video stream", hint="convert it to H.264 first")
    best = container.streams.best("video")
    return next((stream for stream in decodable if stream is best), decodable[0])


def _moving_pictures(container: InputContainer) -> list[VideoStream]:
    """Return the video streams without covers; if one has several frames, without still images (AVIF)."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    pictures = [stream for stream in container.streams.video if not stream.disposition & covers]
    if any(stream.frames > 1 for stream in pictures):
        return [stream for stream in pictures if stream.frames != 1]
    return pictures


def _origin_s(container: InputContainer, *, stream: VideoStream) -> Fraction:
    """Return the time stamp that players show as zero: the start of the container, which may be any time."""
    streams = (*container.streams.video, *container.streams.audio)
    starts_s = [
        other.start_time * fraction(other.time_base) for other in streams if other.start_time is not None
    ]
    own_s = stream.start_time * fraction(stream.time_base) if stream.start_time is not None else Fraction(0)
    # sound may start before zero (encoder delay); that must not shift the frames
    return min(own_s, max(min(starts_s, default=own_s), Fraction(0)))
