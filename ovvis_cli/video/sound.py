"""Carrying the sound of a source over into a written video."""

from __future__ import annotations  # PyAV's Packet is generic for type checkers only

import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from ovvis_cli.video.container import OpenVideo, fraction

logger = logging.getLogger(__name__)

SoundMode = Literal["copied", "transcoded", "none"]

# those that players take in MP4
_COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"})
_AAC_RATES_HZ = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
_AAC_RATE_HZ = 48_000
_AAC_BITS_PER_CHANNEL = 96_000


class SoundTrack:
    """The first sound stream of a source as a stream of the output, fed in step with the pictures.

    Packets are read only as far as the pictures have come, so that memory does not grow with the video. The
    output stream is added at once: a container takes no new stream after its first packet.
    """

    def __init__(
        self,
        stream: AudioStream,
        *,
        source: OpenVideo,
        output: OutputContainer,
        start_s: Fraction,
        end_s: Fraction | None,
    ) -> None:
        self._container = source.container
        self._output = output
        self._start_s = source.origin_s + start_s
        self._end_s = None if end_s is None else source.origin_s + end_s
        self._is_cut = start_s > 0
        self._waiting: Packet[AudioStream] | None = None
        self._num_damaged = 0
        if stream.codec_context.codec.canonical_name in _COPIED_CODECS:
            self.mode: SoundMode = "copied"
            self._packets = self._copied(stream, target=output.add_stream_from_template(stream))
        else:
            self.mode = "transcoded"
            self._packets = self._transcoded(stream, target=_add_aac_stream(output, like=stream))

    def mux_until(self, time_s: float | None) -> None:
        """Writes the sound up to a time of the output; None for all that is left."""
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
            ):  # the packet's fault; a full disk is not
                self._num_damaged += 1
        if time_s is None and self._num_damaged:
            logger.warning("%d damaged pieces of sound are left out", self._num_damaged)

    def _copied(self, stream: AudioStream, *, target: AudioStream) -> Iterator[Packet[AudioStream]]:
        time_base = fraction(stream.time_base)
        shift = round(self._start_s / time_base)
        last_pts: int | None = None
        for packet in self._read(stream):
            if packet.pts is None or (last_pts is not None and packet.pts <= last_pts):
                continue  # time running backwards is damage that no container stores
            last_pts = packet.pts
            packet.pts = packet.dts = packet.pts - shift
            packet.stream = target
            yield packet

    def _transcoded(self, stream: AudioStream, *, target: AudioStream) -> Iterator[Packet[AudioStream]]:
        for packet in self._read(stream):
            try:
                for frame in stream.decode(packet):
                    if frame.pts is not None and frame.time_base:
                        frame.pts -= round(self._start_s / fraction(frame.time_base))
                    yield from target.encode(frame)
            except (av.error.FFmpegError, ValueError):  # ValueError: the form of the sound changed
                self._num_damaged += 1
        yield from target.encode(None)

    def _read(self, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        """Yields the packets with a time in the range; damage ends the sound, not the video."""
        time_base = fraction(stream.time_base)
        try:
            if self._is_cut:
                self._container.seek(int(self._start_s / time_base), stream=stream)
            for packet in self._container.demux(stream):
                if packet.pts is None or not packet.size:
                    continue
                time_s = packet.pts * time_base
                if self._end_s is not None and time_s >= self._end_s:
                    return
                if time_s >= self._start_s or not self._is_cut:
                    yield packet
        except av.error.FFmpegError as error:
            logger.warning("the sound ends early: %s", error)


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The sound stream to carry over: the first that is known how to be decoded and has a sound header."""
    for stream in container.streams.audio:
        context = stream.codec_context
        if context is not None and context.sample_rate > 0 and context.channels > 0:
            return stream
    return None


def _add_aac_stream(output: OutputContainer, *, like: AudioStream) -> AudioStream:
    """An AAC stream for transcoding; more than two channels are mixed down to stereo."""
    rate = like.codec_context.sample_rate
    num_channels = min(like.codec_context.channels, 2)
    stream = output.add_stream(
        "aac",
        rate=rate if rate in _AAC_RATES_HZ else _AAC_RATE_HZ,
        layout="mono" if num_channels == 1 else "stereo",
    )
    stream.bit_rate = _AAC_BITS_PER_CHANNEL * num_channels
    return stream


def _time_s(packet: Packet[AudioStream]) -> float:
    return float((packet.pts or 0) * fraction(packet.time_base))
