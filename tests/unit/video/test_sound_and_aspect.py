"""What the overlay takes over from its source beside the pictures: every sound track, the shape of pixels."""

import logging
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from ovvis_cli.video.reader import probe, read_frames
from ovvis_cli.video.writer import OverlayWriter
from tests import media


def write_with_tracks(path, tracks, *, length_s=1.0):
    """A video with sound tracks of (codec, Hz, language, is default)."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        streams = []
        for codec, _, language, is_default in tracks:
            stream = container.add_stream(codec, rate=48_000, layout="mono")
            stream.metadata["language"] = language
            stream.disposition = Disposition.default if is_default else Disposition(0)
            streams.append(stream)
        for image in media.numbered_images(int(12 * length_s)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        for stream, (_, pitch_hz, _, _) in zip(streams, tracks, strict=True):
            _encode_tone(container, stream, pitch_hz=pitch_hz, length_s=length_s)
    return path


def _encode_tone(container, stream, *, pitch_hz, length_s):
    samples = (8000 * np.sin(2 * np.pi * pitch_hz * np.arange(int(48_000 * length_s)) / 48_000)).astype(
        np.int16
    )
    for start in range(0, len(samples), 960):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 960], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def copy_video(source, target, **options):
    info = probe(source)
    with OverlayWriter(target, width=info.width, height=info.height, source=source, **options) as writer:
        for frame in read_frames(source, **options):
            writer.write(frame.image, time_s=frame.time_s, offset_s=frame.offset_s)
    return writer.sound


def described_tracks(path):
    """(Hz, language, is default) of every sound track."""
    found = []
    with av.open(str(path)) as container:
        for stream in container.streams.audio:
            container.seek(0)
            frames = [frame.to_ndarray().mean(axis=0) for frame in container.decode(stream)]
            samples = np.concatenate(frames)[4800 : 4800 + 24_000]
            pitch_hz = int(np.abs(np.fft.rfft(samples)).argmax()) * 2
            is_default = bool(stream.disposition & Disposition.default)
            found.append((pitch_hz, stream.language, is_default))
    return found


@pytest.mark.parametrize("codecs", [("aac", "aac"), ("aac", "ac3"), ("mp2", "libmp3lame"), ("ac3", "mp2")])
@pytest.mark.parametrize("name", ["two.mkv", "two.ts"])
def test_all_sound_tracks_are_kept_with_their_languages(tmp_path, name, codecs):
    tracks = [(codecs[0], 440, "fra", False), (codecs[1], 880, "eng", True)]
    source = write_with_tracks(tmp_path / name, tracks)

    modes = copy_video(source, tmp_path / "out.mp4")

    assert modes == tuple("transcoded" if codec == "mp2" else "copied" for codec in codecs)
    kept = described_tracks(tmp_path / "out.mp4")
    assert [(pitch_hz, language) for pitch_hz, language, _ in kept] == [(440, "fra"), (880, "eng")]
    if name == "two.mkv":  # transport streams have no default track
        assert [is_default for *_, is_default in kept] == [False, True]


@pytest.mark.parametrize("codecs", [("aac", "libmp3lame", "ac3"), ("pcm_s16le", "aac", "pcm_s16le")])
def test_three_sound_tracks_of_a_mov(tmp_path, codecs):
    tracks = [(codec, 440 * (number + 1), "eng", number == 2) for number, codec in enumerate(codecs)]
    source = write_with_tracks(tmp_path / "three.mov", tracks)

    copy_video(source, tmp_path / "out.mp4")

    assert [pitch_hz for pitch_hz, *_ in described_tracks(tmp_path / "out.mp4")] == [440, 880, 1320]


def test_a_range_cuts_all_sound_tracks(tmp_path):
    tracks = [("aac", 440, "fra", True), ("mp2", 880, "eng", False)]
    source = write_with_tracks(tmp_path / "two.mkv", tracks, length_s=3)

    copy_video(source, tmp_path / "out.mp4", start_s=1.0, end_s=2.0)

    with av.open(str(tmp_path / "out.mp4")) as container:
        lengths_s = [float(stream.duration * stream.time_base) for stream in container.streams.audio]
    assert lengths_s == pytest.approx([1, 1], abs=0.08)


def test_subtitles_that_are_left_out_are_said(tmp_path, caplog):
    source = write_with_tracks(tmp_path / "film.mkv", [("aac", 440, "eng", True)])
    (tmp_path / "film.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with (
        av.open(str(source)) as film,
        av.open(str(tmp_path / "film.srt")) as text,
        av.open(str(tmp_path / "sub.mkv"), "w") as out,
    ):
        pairs = [(film, film.streams.video[0]), (film, film.streams.audio[0]), (text, text.streams[0])]
        targets = [out.add_stream_from_template(stream) for _, stream in pairs]
        for (container, stream), target in zip(pairs, targets, strict=True):
            container.seek(0)
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = target
                    out.mux(packet)

    with caplog.at_level(logging.WARNING):
        copy_video(tmp_path / "sub.mkv", tmp_path / "out.mp4")

    messages = [entry.getMessage() for entry in caplog.records]
    assert messages == ["sub.mkv: 1 subtitle track is left out of the overlay"]


def test_joined_recordings_keep_their_sound(tmp_path):
    piece = write_with_tracks(tmp_path / "piece.ts", [("aac", 440, "eng", True)]).read_bytes()
    (tmp_path / "joined.ts").write_bytes(piece * 3)

    copy_video(tmp_path / "joined.ts", tmp_path / "out.mp4")

    with av.open(str(tmp_path / "out.mp4")) as container:
        (stream,) = container.streams.audio
        assert float(stream.duration * stream.time_base) == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("codec", ["aac", "mp2"])
def test_the_sound_of_many_joined_recordings_stays_with_the_pictures(tmp_path, codec):
    pieces = []
    for number in range(12):
        tracks = [(codec, 400 + 100 * (number % 2), "eng", True)]
        pieces.append(write_with_tracks(tmp_path / f"{number}.ts", tracks, length_s=0.5).read_bytes())
    (tmp_path / "joined.ts").write_bytes(b"".join(pieces))

    copy_video(tmp_path / "joined.ts", tmp_path / "out.mp4")

    with av.open(str(tmp_path / "out.mp4")) as container:
        samples = {}
        for frame in container.decode(container.streams.audio[0]):
            for position, value in enumerate(frame.to_ndarray().mean(axis=0)):
                samples[round(frame.time * 48_000) + position] = value
    start_s = next(read_frames(tmp_path / "joined.ts")).time_s
    for number in range(12):  # the pitch in the middle of each piece of the pictures
        middle = round((start_s + 0.5 * number + 0.2) * 48_000)
        wave = np.array([samples.get(middle + position, 0.0) for position in range(4800)])
        assert int(np.abs(np.fft.rfft(wave)).argmax()) * 10 == 400 + 100 * (number % 2)


def write_anamorphic(path, aspect, *, matrix=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        if matrix:
            stream.set_display_matrix(matrix)
        for image in media.numbered_images(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def shown_aspect(path):
    """Width : height of the picture as players show it, before rotation."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        aspect = stream.sample_aspect_ratio or Fraction(1)
        return Fraction(stream.width * aspect.numerator, stream.height * aspect.denominator)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(12, 11), Fraction(1, 2)])
def test_the_shape_of_pixels_is_kept(tmp_path, name, aspect):
    source = write_anamorphic(tmp_path / name, aspect)

    copy_video(source, tmp_path / "out.mp4")

    assert shown_aspect(tmp_path / "out.mp4") == shown_aspect(source) == Fraction(48, 32) * aspect


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_the_shape_of_pixels_turns_with_the_picture(tmp_path, turn):
    aspect = Fraction(64, 45)
    source = write_anamorphic(tmp_path / "a.mp4", aspect, matrix=media.DISPLAY_MATRICES[turn])

    copy_video(source, tmp_path / "out.mp4")

    upright = shown_aspect(source) if turn == 180 else 1 / shown_aspect(source)
    assert shown_aspect(tmp_path / "out.mp4") == upright


def test_square_pixels_stay_square(tmp_path):
    source = media.write_video(tmp_path / "a.mp4", media.numbered_images(3))

    copy_video(source, tmp_path / "out.mp4")

    assert probe(tmp_path / "out.mp4").sample_aspect == 1
