"""Copying of the sound of a source into a written video: all tracks, in order."""

from __future__ import annotations  # PyAV's Packet is generic for type checkers only

import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias, cast

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition

from ovvis_cli.video.container import OpenVideo, fraction
from ovvis_cli.video.timing import Timeline

logger = logging.getLogger(__name__)

SoundMode = Literal["copied", "transcoded"]
SoundPacket: TypeAlias = "Packet[AudioStream]"

# codecs that players support in MP4
_COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"})
_AAC_RATES_HZ = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
_AAC_RATE_HZ = 48_000
_AAC_BITS_PER_CHANNEL = 96_000
_PACKET_S = Fraction(1, 50)  # assumed duration of a packet that does not state one
_KEPT_METADATA = ("language", "title")


class SoundTracks:
    """Sound streams of a source, written to the output in step with the video frames.

    Packets are read only up to the time of the video, so that memory does not grow with its length. All
    output streams are added in advance, because a container accepts no new stream after its first packet.
    """

    def __init__(
        self,
        *,
        source: OpenVideo,
        output: OutputContainer,
        start_s: Fraction,
        end_s: Fraction | None,
    ) -> None:
        self._output = output
        self._start_s = start_s
        self._end_s = end_s
        self._offset_s: Fraction | None = Fraction(0)  # of the video frames; None after the last one
        self._waiting: SoundPacket | None = None
        self._num_damaged = 0
        streams = _usable_streams(source.container)
        self._tracks = {stream.index: _track(stream, output=output) for stream in streams}
        self._packets: Iterator[SoundPacket | None] = (
            self._converted(source, streams) if streams else iter(())
        )
        _warn_of_losses(source, num_kept=len(streams))

    @property
    def modes(self) -> tuple[SoundMode, ...]:
        """Whether each track is copied or transcoded."""
        return tuple(track.mode for track in self._tracks.values())

    def follow(self, offset_s: Fraction) -> None:
        """Set by how much frame times exceed their time stamps; sound is shifted by the same amount."""
        self._offset_s = offset_s

    def mux_until(self, time_s: float | None) -> None:
        """Write the sound up to a time of the output; None for all remaining sound."""
        if time_s is None:
            self._offset_s = None
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            packet = self._waiting
            if packet is None or (time_s is not None and _time_s(packet) > time_s):
                break
            self._waiting = None
            try:
                self._output.mux(packet)
            except (
                av.error.ArgumentError,
                av.error.InvalidDataError,
            ):  # a damaged packet; other errors, such as a full disk, propagate
                self._num_damaged += 1
        if time_s is None and self._num_damaged:
            logger.warning("%d damaged sound packets are left out of the overlay", self._num_damaged)

    def _converted(self, source: OpenVideo, streams: list[AudioStream]) -> Iterator[SoundPacket | None]:
        """Yield output packets for the source packets in the range; None means wait for the video."""
        ended: set[int] = set()
        for time_s, packet in _timed(source, streams, offset_s=lambda: self._offset_s):
            if packet is None:
                yield None
                continue
            index = packet.stream.index
            if self._end_s is not None and time_s >= self._end_s:
                ended.add(index)
                if len(ended) == len(streams):
                    break
            elif time_s >= self._start_s or self._start_s == 0:
                packet.pts = packet.dts = round((time_s - self._start_s) / fraction(packet.time_base))
                yield from self._convert(packet, track=self._tracks[index])
        for track in self._tracks.values():
            yield from self._convert(None, track=track)

    def _convert(self, packet: SoundPacket | None, *, track: _Track) -> Iterator[SoundPacket]:
        try:
            yield from track.convert(packet)
        except (av.error.FFmpegError, ValueError):  # ValueError: the sound format changed
            self._num_damaged += 1


class _Track(Protocol):
    """One sound stream of the output."""

    mode: SoundMode

    def convert(self, packet: SoundPacket | None) -> Iterator[SoundPacket]:
        """Yield the output packets for one source packet; for None, the remaining ones."""
        ...


class _CopiedTrack:
    mode: SoundMode = "copied"

    def __init__(self, source: AudioStream, *, output: OutputContainer) -> None:
        self._target = output.add_stream_from_template(source)
        _keep_description(source, target=self._target)

    def convert(self, packet: SoundPacket | None) -> Iterator[SoundPacket]:
        if packet is not None:
            packet.stream = self._target
            yield packet


class _TranscodedTrack:
    mode: SoundMode = "transcoded"

    def __init__(self, source: AudioStream, *, output: OutputContainer) -> None:
        self._source = source
        self._target = _add_aac_stream(output, like=source)
        self._next_sample: int | None = None
        _keep_description(source, target=self._target)

    def convert(self, packet: SoundPacket | None) -> Iterator[SoundPacket]:
        for frame in self._source.decode(packet):
            for gapless in self._without_gaps(frame):
                yield from self._target.encode(gapless)
        if packet is None:
            yield from self._target.encode(None)

    def _without_gaps(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """Yield the frame, placed directly after the last one, as the encoder requires.

        A gap of one frame or more is filled with silence; a frame that ends before the last one is dropped.
        """
        rate, samples = frame.sample_rate, frame.samples
        place = None if frame.pts is None else round(frame.pts * fraction(frame.time_base) * rate)
        if self._next_sample is None:
            self._next_sample = place or 0
        place = self._next_sample if place is None else place
        if place + samples <= self._next_sample:
            return
        while place - self._next_sample >= samples:
            yield self._placed(_silence(like=frame))
        yield self._placed(frame)

    def _placed(self, frame: av.AudioFrame) -> av.AudioFrame:
        frame.pts, frame.time_base = self._next_sample, Fraction(1, frame.sample_rate)
        self._next_sample = (self._next_sample or 0) + frame.samples
        return frame


def _silence(*, like: av.AudioFrame) -> av.AudioFrame:
    silent = np.zeros_like(like.to_ndarray())
    frame = av.AudioFrame.from_ndarray(silent, format=like.format.name, layout=like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame


def _track(source: AudioStream, *, output: OutputContainer) -> _Track:
    if source.codec_context.codec.canonical_name in _COPIED_CODECS:
        return _CopiedTrack(source, output=output)
    return _TranscodedTrack(source, output=output)


def _keep_description(source: AudioStream, *, target: AudioStream) -> None:
    target.disposition = source.disposition & Disposition.default
    for name in _KEPT_METADATA:
        if name in source.metadata:
            target.metadata[name] = source.metadata[name]


def _timed(
    source: OpenVideo, streams: list[AudioStream], *, offset_s: Callable[[], Fraction | None]
) -> Iterator[tuple[Fraction, SoundPacket | None]]:
    """Yield the packets of all streams with times on the video's clock; an error ends the iteration.

    `offset_s` returns the current offset of the video. Where recordings were joined, None is yielded until
    the video has reached that point.
    """
    timelines: dict[int, Timeline[SoundPacket]] = {}
    try:
        for packet in source.container.demux(streams):
            if packet.pts is None or not packet.size:
                continue
            time_base, index = fraction(packet.time_base), packet.stream.index
            if index not in timelines:
                step_s = (packet.duration or 0) * time_base or _PACKET_S
                timelines[index] = Timeline(step_s=step_s, leading_offset_s=offset_s)
            stamp_s = packet.pts * time_base - source.origin_s
            yield from timelines[index].add(cast("SoundPacket", packet), stamp_s=stamp_s)
            while timelines[index].is_waiting:
                yield stamp_s, None
            yield from timelines[index].decided()
    except av.error.FFmpegError as error:
        logger.warning("the sound ends early: %s", error)
    for timeline in timelines.values():
        yield from timeline.rest()


def _usable_streams(container: InputContainer) -> list[AudioStream]:
    """Return the sound streams that have a decoder and a valid header."""
    return [
        stream
        for stream in container.streams.audio
        if stream.codec_context is not None
        and stream.codec_context.sample_rate > 0
        and stream.codec_context.channels > 0
    ]


def _warn_of_losses(source: OpenVideo, *, num_kept: int) -> None:
    """Log a warning about sound and subtitle tracks that the written video will lack."""
    name = source.location.display_name
    losses = {
        "undecodable sound": len(source.container.streams.audio) - num_kept,
        "subtitle": len(source.container.streams.subtitles),
    }
    for what, count in losses.items():
        if count:
            tracks = "track is" if count == 1 else "tracks are"
            logger.warning("%s: %d %s %s left out of the overlay", name, count, what, tracks)


def _add_aac_stream(output: OutputContainer, *, like: AudioStream) -> AudioStream:
    """Add an AAC stream for transcoding; more than two channels are mixed down to stereo."""
    rate = like.codec_context.sample_rate
    num_channels = min(like.codec_context.channels, 2)
    stream = output.add_stream(
        "aac",
        rate=rate if rate in _AAC_RATES_HZ else _AAC_RATE_HZ,
        layout="mono" if num_channels == 1 else "stereo",
    )
    stream.bit_rate = _AAC_BITS_PER_CHANNEL * num_channels
    return stream


def _time_s(packet: SoundPacket) -> float:
    return float((packet.pts or 0) * fraction(packet.time_base))
