"""Writing of the overlay video: widely playable H.264 in MP4, with the source's frame times and sound."""

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import av.error
import numpy as np
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream
from jaxtyping import UInt8

from ovvis_cli.errors import OvvisError, ResourceError, VideoError
from ovvis_cli.video.container import OpenVideo, fraction, open_video, rate_of
from ovvis_cli.video.decoding import probe_video
from ovvis_cli.video.location import Location, parse_location
from ovvis_cli.video.sound import SoundMode, SoundTracks

_TIME_BASE = Fraction(1, 90_000)  # default without a source; MPEG's, finer than any frame rate
_RATE = Fraction(25)
# swscale truncates by default, which darkens the image
_ROUNDED = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
_ENCODING: Final = {"crf": "20", "preset": "veryfast"}
_REPEATABLE: Final = {"mbtree": "0"}
"""x264's macroblock tree reads uninitialised memory with AVX-512, so that equal frames give other bytes."""

_DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


class OverlayWriter:
    """Video writer; use it as a context manager.

    The file is written as PATH.part and renamed when the block succeeds; an exception removes it. Frame times
    use the source's time base, so a variable frame rate is preserved. The pixel format that players support
    (yuv420p) needs even sizes: an odd frame is padded by one pixel, repeating its edge.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        source: str | Path | Location | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
        sample_aspect: Fraction | None = None,
        encoding: Mapping[str, str] = _ENCODING,
    ) -> None:
        """Create a writer for upright frames of one size.

        Args:
            path: the MP4 file to write; its folder must exist.
            width: width of every frame, in pixels.
            height: height of every frame, in pixels.
            source: the source, for its sound and time base; it is opened a second time, so None for a live
                stream.
            start_s: time in the source that becomes zero in the file.
            end_s: end of the sound, in the source's time; None for its whole length.
            sample_aspect: display width : height of a pixel; None for that of the source.
            encoding: options of the encoder (libx264).
        """
        self._path = path
        self._part_path = path.with_name(path.name + ".part")
        self._hw = (height, width)
        self._source = None if source is None else parse_location(source)
        self._start_s = Fraction(start_s)
        self._end_s = None if end_s is None else Fraction(end_s)
        self._sample_aspect = sample_aspect
        self._encoding = dict(encoding)
        self._reformatter = VideoReformatter()
        self._time_base = _TIME_BASE
        self._last_pts: int | None = None
        self._step = 0
        self._open = ExitStack()
        self._sound: SoundTracks | None = None
        self._output: av.container.OutputContainer
        self._stream: VideoStream

    @property
    def sound(self) -> tuple[SoundMode, ...]:
        """Whether each sound track in the file was copied or transcoded."""
        return self._sound.modes if self._sound else ()

    def __enter__(self) -> Self:
        """Open the files.

        Raises:
            VideoError: the file cannot be written, or the source cannot be read.
            ResourceError: the disk is full.
        """
        try:
            self._start()
        except BaseException:
            self._discard()
            raise
        return self

    def write(
        self, image: UInt8[np.ndarray, "H0 W0 3"], *, time_s: float, offset_s: Fraction = Fraction(0)
    ) -> None:
        """Write a frame that is shown from time `time_s` of the source; times must increase.

        `offset_s` is that of `Frame`; it keeps the sound of joined recordings in sync.

        Raises:
            ValueError: the frame has another size.
            VideoError: the file cannot be written.
            ResourceError: the disk is full.
        """
        if image.shape != (*self._hw, 3) or image.dtype != np.uint8:
            raise ValueError(f"expected uint8 (H, W, 3) of {self._hw}, got {image.dtype} {image.shape}")
        pts = round((Fraction(time_s) - self._start_s) / self._time_base)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
            self._step = pts - self._last_pts
        self._last_pts = pts
        with self._translated_errors():
            if self._sound:
                self._sound.follow(offset_s)
                self._sound.mux_until(float(pts * self._time_base))
            self._mux_pictures(self._encodable(image, pts=pts))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the file, or remove the partial file after an exception."""
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def _start(self) -> None:
        video = self._opened_source()
        with self._translated_errors():
            self._output = av.open(
                f"file:{self._part_path}", "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._open.callback(self._close_quietly)
        rate = (rate_of(video) if video else None) or _RATE
        self._step = round(1 / rate / self._time_base)
        self._stream = self._output.add_stream("libx264", rate=rate, options=_REPEATABLE | self._encoding)
        context = self._stream.codec_context
        context.height, context.width = (length + length % 2 for length in self._hw)
        context.pix_fmt = "yuv420p"
        context.time_base = self._time_base
        context.sample_aspect_ratio = self._shown_aspect(video)
        context.thread_type = "AUTO"
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        if video:
            self._sound = SoundTracks(
                source=video, output=self._output, start_s=self._start_s, end_s=self._end_s
            )
        with self._translated_errors():
            self._output.start_encoding()  # opens the file now, to detect an unwritable folder early

    def _opened_source(self) -> OpenVideo | None:
        if self._source is None or self._source.kind not in {"file", "url"}:
            return None
        video = self._open.enter_context(open_video(self._source))
        self._time_base = fraction(video.stream.time_base) or _TIME_BASE
        return video

    def _shown_aspect(self, video: OpenVideo | None) -> Fraction:
        if self._sample_aspect is not None or video is None:
            return self._sample_aspect or Fraction(1)
        return probe_video(video.location).sample_aspect

    def _encodable(self, image: UInt8[np.ndarray, "H0 W0 3"], *, pts: int) -> av.VideoFrame:
        height, width = self._hw
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_ROUNDED,
            threads=1,
        )
        frame.pts, frame.time_base = pts, self._time_base
        return frame

    def _mux_pictures(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = packet.duration or self._step  # otherwise the last frame would have no duration
            self._output.mux(packet)

    def _finish(self) -> None:
        if self._last_pts is None:
            raise VideoError(f"{self._path.name}: no frame was written")
        with self._translated_errors():
            self._mux_pictures(None)
            if self._sound:
                self._sound.mux_until(None)
            self._output.close()
            self._part_path.replace(self._path)

    def _discard(self) -> None:
        self._open.close()
        with contextlib.suppress(OSError):  # it may not exist
            self._part_path.unlink()

    def _close_quietly(self) -> None:
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            self._output.close()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except OvvisError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            if error.errno in _DISK_FULL:
                raise ResourceError(
                    f"{self._path}: the disk is full",
                    hint="free some space and run the same command to resume",
                ) from error
            reason = os.strerror(error.errno) if error.errno and 0 < error.errno < 200 else str(error)
            raise VideoError(
                f"{self._path}: cannot be written: {reason}", hint="choose another --output"
            ) from error
