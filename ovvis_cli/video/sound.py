"""Carrying the sound of a source over into a written video."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import av
import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from ovvis_cli.video.decoding import OpenVideo

logger = logging.getLogger(__name__)

SoundMode = Literal["copied", "transcoded", "none"]

_COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"})  # those that players take in MP4
_AAC_RATES_HZ = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
_AAC_BITS_PER_CHANNEL = 96_000
_MAX_CHANNELS = 2  # more are mixed down when transcoding


class SoundTrack:
    """The first sound stream of a source as a stream of the output, fed in step with the pictures.

    Packets are read only as far as the pictures have come, so that memory does not grow with the video.
    """

    def __init__(
        self, source: OpenVideo, *, output: OutputContainer, start_s: Fraction, end_s: Fraction | None
    ) -> None:
        self._source = source
        self._output = output
        self._start_s = source.origin_s + start_s
        self._end_s = None if end_s is None else source.origin_s + end_s
        self._is_cut = start_s > 0
        stream = source.container.streams.audio[0]
        self.mode: SoundMode = "copied" if stream.codec_context.name in _COPIED_CODECS else "transcoded"
        self._packets = self._copied(stream) if self.mode == "copied" else self._transcoded(stream)
        self._waiting: Packet | None = None

    def mux_until(self, time_s: float | None) -> None:
        """Writes the sound up to a time of the output; None for all that is left."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            packet = self._waiting
            if packet is None or (time_s is not None and _time_s(packet) > time_s):
                return
            self._waiting = None
            self._output.mux(packet)

    def _copied(self, stream: AudioStream) -> Iterator[Packet]:
        # the stream must exist before the first packet of any stream is written, hence not inside the generator
        return self._copied_into(self._output.add_stream_from_template(stream), stream)

    def _copied_into(self, output_stream: AudioStream, stream: AudioStream) -> Iterator[Packet]:
        for packet in self._read(stream):
            shift = round(self._start_s / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.pts
            packet.stream = output_stream
            yield packet

    def _transcoded(self, stream: AudioStream) -> Iterator[Packet]:
        source_context = stream.codec_context
        rate = source_context.sample_rate if source_context.sample_rate in _AAC_RATES_HZ else 48_000
        layout = "mono" if source_context.channels == 1 else "stereo"
        output_stream = self._output.add_stream("aac", rate=rate, layout=layout)
        output_stream.bit_rate = _AAC_BITS_PER_CHANNEL * min(source_context.channels, _MAX_CHANNELS)
        return self._transcoded_into(output_stream, stream)

    def _transcoded_into(self, output_stream: AudioStream, stream: AudioStream) -> Iterator[Packet]:
        for packet in self._read(stream):
            try:
                frames = stream.decode(packet)
            except av.error.FFmpegError as error:
                logger.warning("a damaged piece of sound is left out: %s", error)
                continue
            for frame in frames:
                if frame.pts is not None and frame.time_base:
                    frame.pts -= round(self._start_s / frame.time_base)
                yield from output_stream.encode(frame)
        yield from output_stream.encode(None)

    def _read(self, stream: AudioStream) -> "Iterator[Packet[AudioStream]]":
        """Yields the packets with a time in the range; damage ends the sound, not the video."""
        container = self._source.container
        if self._is_cut:
            container.seek(int(self._start_s / stream.time_base), stream=stream)
        try:
            for packet in container.demux(stream):
                if packet.pts is None or not packet.size:
                    continue
                time_s = packet.pts * packet.time_base
                if self._end_s is not None and time_s >= self._end_s:
                    return
                if self._is_cut and time_s < self._start_s:
                    continue
                yield packet
        except av.error.FFmpegError as error:
            logger.warning("the sound ends early: %s", error)


def _time_s(packet: Packet) -> float:
    return float(packet.pts * packet.time_base) if packet.pts is not None and packet.time_base else 0.0
