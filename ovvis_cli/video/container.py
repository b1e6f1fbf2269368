"""Opening a video file or stream with PyAV, and what its header says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
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
from ovvis_cli.video.inputs import IMAGE_SUFFIXES, display_name, location_kind, no_such_file

_TEXT_FORMATS = frozenset(
    {"tty", "bin", "xbin", "adf", "idf"}
)  # libavformat draws text files as terminal art
_NETWORK_TIMEOUT_S = (15.0, 15.0)  # to open, to read
_NO_TIMESTAMPS = cast(int, Flags.no_timestamps.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVideo:
    """A container opened for reading and its picture stream."""

    container: InputContainer
    stream: VideoStream
    location: str
    origin_s: Fraction  # time stamp of the source's start


@contextmanager
def open_video(location: str | Path) -> Iterator[OpenVideo]:
    """Opens a file or URL and chooses its picture stream.

    Raises:
        VideoError: no such file, not a video, no picture in it, or no decoder for it.
    """
    with _open_container(location) as container:
        stream = _picture_stream(container, name=display_name(location))
        # not by frame: an undecodable packet would take its neighbours with it, differently on each machine
        stream.thread_type = "SLICE"
        yield OpenVideo(
            container=container,
            stream=stream,
            location=str(location),
            origin_s=_origin_s(container, stream=stream),
        )


def duration_of(video: OpenVideo) -> Fraction | None:
    """Seconds by the header: of the picture stream, else of the whole file."""
    if video.stream.duration and video.stream.time_base:
        return video.stream.duration * fraction(video.stream.time_base)
    return Fraction(video.container.duration, av.time_base) if video.container.duration else None


def has_timestamps(video: OpenVideo) -> bool:
    """Whether the format stores times: raw streams (.h264, .h265, .mjpeg, .obu) do not."""
    return not video.container.format.flags & _NO_TIMESTAMPS


def rate_of(video: OpenVideo) -> Fraction | None:
    """Average frames a second by the header; of a raw stream only what it states itself, else None."""
    if not has_timestamps(video):  # FFmpeg's average is its own assumption there
        return fraction(video.stream.codec_context.framerate) or None
    return fraction(video.stream.average_rate or video.stream.guessed_rate) or None


def unread_streams(video: OpenVideo) -> str:
    """In words, the picture streams beside the one that is read; empty where there are none."""
    num_others = len(_moving_pictures(video.container)) - 1
    if num_others < 1:
        return ""
    others = "another picture stream is" if num_others == 1 else f"{num_others} other picture streams are"
    return f"stream {video.stream.index} is read, {others} left out"


def kind_of(video: OpenVideo) -> SourceKind:
    """Whether it can be read twice: files and web addresses of known length can."""
    if location_kind(video.location) != "url":
        return "video"
    return "video" if video.location.startswith("http") and video.container.duration else "stream"


def fraction(value: Fraction | None) -> Fraction:
    """A plain Fraction, 0 for none: PyAV's own rational must not leave this folder."""
    return Fraction(value.numerator, value.denominator) if value else Fraction(0)


@contextmanager
def _open_container(location: str | Path) -> Iterator[InputContainer]:
    is_url = location_kind(location) == "url"
    try:
        container = av.open(  # FFmpeg would take the first picture of Motion JPEG for all if named .jpg
            # the prefix keeps names like "take:2.mp4" from being read as protocols
            str(location) if is_url else f"file:{location}",
            format="mjpeg" if not is_url and is_motion_jpeg(Path(location)) else None,
            timeout=_NETWORK_TIMEOUT_S if is_url else None,
            options={"rtsp_transport": "tcp"} if str(location).startswith("rtsp") else {},
            metadata_errors="replace",  # titles in unknown encodings must not stop anyone
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
    if not path.exists():
        return no_such_file(location)
    if isinstance(error, PermissionError):
        return VideoError(f"{name}: may not be read", hint="check its permissions")
    if path.is_file() and path.stat().st_size == 0:
        return VideoError(f"{name}: the file is empty", hint="copy or download it again")
    what = "an image" if path.suffix.lower() in IMAGE_SUFFIXES else "a video"
    return VideoError(
        f"{name}: not {what}, or cut off before its index", hint="try to play it, or copy it again"
    )


def _picture_stream(container: InputContainer, *, name: str) -> VideoStream:
    pictures = _moving_pictures(container)
    if not pictures:
        if container.streams.audio:
            raise VideoError(f"{name}: has sound but no picture", hint="give a file with moving pictures")
        raise VideoError(f"{name}: not a video", hint="it has no picture stream")
    decodable = [stream for stream in pictures if stream.codec_context is not None]
    if not decodable:
        raise VideoError(f"{name}: no decoder for its picture", hint="convert it to H.264 first")
    best = container.streams.best("video")
    return next((stream for stream in decodable if stream is best), decodable[0])


def _moving_pictures(container: InputContainer) -> list[VideoStream]:
    """The picture streams without covers and, where one moves, without the still picture beside it (AVIF)."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    pictures = [stream for stream in container.streams.video if not stream.disposition & covers]
    if any(stream.frames > 1 for stream in pictures):
        return [stream for stream in pictures if stream.frames != 1]
    return pictures


def _origin_s(container: InputContainer, *, stream: VideoStream) -> Fraction:
    """Time stamp that players show as zero: the container's start, as transport streams begin anywhere."""
    streams = (*container.streams.video, *container.streams.audio)
    starts_s = [
        other.start_time * fraction(other.time_base) for other in streams if other.start_time is not None
    ]
    own_s = stream.start_time * fraction(stream.time_base) if stream.start_time is not None else Fraction(0)
    # sound may begin before zero (encoder delay), which moves no picture
    return min(own_s, max(min(starts_s, default=own_s), Fraction(0)))
