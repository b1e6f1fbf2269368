"""Writing the overlay: frame times, sound, size and colours kept; nothing half-done left behind."""

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from ovvis_cli.errors import ResourceError, VideoError, exit_code_of
from ovvis_cli.video.reader import probe, read_frames
from ovvis_cli.video.writer import OverlayWriter
from tests import media


def copy_video(source, target, **options):
    """What the overlay exporter does, without drawing; the writer's account of the sound."""
    info = probe(source)
    size = {"width": info.width, "height": info.height}
    with OverlayWriter(target, **size, source=source, **options) as writer:
        for frame in read_frames(source, **options):
            writer.write(frame.image, time_s=frame.time_s)
    return writer.sound


def times_and_indices(path):
    return [(frame.time_s, media.index_of(frame.image)) for frame in read_frames(path)]


def test_frames_times_and_sound_are_kept(tmp_path):
    spec = media.VideoSpec(audio="aac", rate=Fraction(30000, 1001))
    source = media.write_video(tmp_path / "clip.mp4", media.numbered_images(30), spec)

    sound = copy_video(source, tmp_path / "out.mp4")

    assert times_and_indices(tmp_path / "out.mp4") == times_and_indices(source)
    assert sound == ("copied",)
    assert media.sound_packets(tmp_path / "out.mp4") == media.sound_packets(source)
    info = probe(tmp_path / "out.mp4")
    assert info.codec == "h264" and info.average_rate == Fraction(30000, 1001) and info.has_audio
    assert info.duration_s == pytest.approx(probe(source).duration_s, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "time_base"),
    [("vfr.mp4", Fraction(1, 90_000)), ("vfr.mkv", Fraction(1, 1000)), ("vfr.mov", Fraction(1, 600))],
)
def test_variable_frame_rate_is_kept_exactly(tmp_path, name, time_base):
    times_s = [0.0, 0.02, 0.5, 0.53, 2.0]
    spec = media.VideoSpec(times_s=times_s, time_base=time_base)
    source = media.write_video(tmp_path / name, media.numbered_images(5), spec)

    copy_video(source, tmp_path / "out.mp4")

    assert times_and_indices(tmp_path / "out.mp4") == times_and_indices(source)
    assert [time_s for time_s, _ in times_and_indices(source)] == pytest.approx(times_s, abs=1e-3)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_is_in_the_pixels_and_not_again_in_the_header(tmp_path, turn):
    spec = media.VideoSpec(display_matrix=media.DISPLAY_MATRICES[turn])
    source = media.write_video(tmp_path / "phone.mp4", [media.corner_image()] * 3, spec)

    copy_video(source, tmp_path / "out.mp4")

    info = probe(tmp_path / "out.mp4")
    assert info.rotation_deg == 0
    assert (info.width, info.height) == (probe(source).width, probe(source).height)
    first, again = next(read_frames(source)).image, next(read_frames(tmp_path / "out.mp4")).image
    assert media.corners_of(first) == media.corners_of(again)


@pytest.mark.parametrize(
    ("name", "codec", "mode"),
    [
        ("a.ts", "aac", "copied"),
        ("a.mkv", "libmp3lame", "copied"),
        ("a.mkv", "ac3", "copied"),
        ("a.mkv", "flac", "copied"),
        ("a.ts", "mp2", "transcoded"),
        ("a.mov", "pcm_s16le", "transcoded"),
        ("a.mkv", "libopus", "copied"),
    ],
)
def test_sound_of_every_kind_comes_along_in_step(tmp_path, name, codec, mode):
    rate = 48_000 if codec == "libopus" else 44_100
    spec = media.VideoSpec(audio=codec, audio_rate=rate, audio_s=1.0)
    source = media.write_video(tmp_path / name, media.numbered_images(30), spec)

    assert copy_video(source, tmp_path / "out.mp4") == (mode,)

    start_s, end_s, loudness = tone(tmp_path / "out.mp4")
    assert start_s == pytest.approx(0, abs=0.03)
    assert end_s == pytest.approx(1.0, abs=0.08)
    assert loudness > 0.1
    assert len(times_and_indices(tmp_path / "out.mp4")) == 30


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_only_the_sound_of_the_range_comes_along(tmp_path, codec):
    spec = media.VideoSpec(audio=codec)
    source = media.write_video(tmp_path / "clip.mov", media.numbered_images(60), spec)

    copy_video(source, tmp_path / "out.mp4", start_s=0.5, end_s=1.5)

    start_s, end_s, _ = tone(tmp_path / "out.mp4")
    assert start_s == pytest.approx(0, abs=0.05)
    assert end_s == pytest.approx(1.0, abs=0.08)
    times = times_and_indices(tmp_path / "out.mp4")
    assert [index for _, index in times] == list(range(15, 45))
    assert times[-1][0] == pytest.approx(29 / 30, abs=1e-3)


def test_sound_is_read_no_further_than_the_pictures(tmp_path):
    spec = media.VideoSpec(audio="aac", audio_s=8)
    source = media.write_video(tmp_path / "clip.mkv", media.numbered_images(10), spec)
    muxed_s = []
    with OverlayWriter(tmp_path / "out.mp4", width=48, height=32, source=source) as writer:
        mux = writer._sound._output.mux
        writer._sound._output = type("Spy", (), {"mux": lambda _, p: (muxed_s.append(p.pts), mux(p))})()
        for frame in read_frames(source):
            writer.write(frame.image, time_s=frame.time_s)
        before_end = len(muxed_s)

    assert 0 < before_end < 30
    assert len(muxed_s) > 300


def test_without_source_or_sound(tmp_path):
    with OverlayWriter(tmp_path / "out.mp4", width=48, height=32) as writer:
        for index, image in enumerate(media.numbered_images(3)):
            writer.write(image, time_s=index / 7)

    assert writer.sound == ()
    assert times_and_indices(tmp_path / "out.mp4") == [
        (pytest.approx(index / 7, abs=1e-5), index) for index in range(3)
    ]


def test_images_as_source(tmp_path):
    folder = media.write_images(tmp_path / "images", media.numbered_images(4))

    assert copy_video(folder, tmp_path / "out.mp4") == ()
    assert [index for _, index in times_and_indices(tmp_path / "out.mp4")] == list(range(4))


@pytest.mark.parametrize("hw", [(33, 47), (33, 48), (1, 1), (5, 2)])
def test_odd_sizes_are_extended_by_their_edge(tmp_path, hw):
    images = media.numbered_images(3, hw)
    with OverlayWriter(tmp_path / "out.mp4", width=hw[1], height=hw[0]) as writer:
        for index, image in enumerate(images):
            writer.write(image, time_s=index / 25)

    frames = list(read_frames(tmp_path / "out.mp4"))

    assert [frame.image.shape[:2] for frame in frames] == [(hw[0] + hw[0] % 2, hw[1] + hw[1] % 2)] * 3
    assert [media.index_of(frame.image) for frame in frames] == [0, 1, 2]


def test_colours_are_kept_and_tagged(tmp_path):
    image = media.corner_image((64, 96))
    with OverlayWriter(tmp_path / "out.mp4", width=96, height=64) as writer:
        writer.write(image, time_s=0.0)

    decoded = next(read_frames(tmp_path / "out.mp4")).image

    for y, x in [(16, 24), (16, 72), (48, 24), (48, 72)]:
        assert np.abs(decoded[y, x].astype(int) - image[y, x]).max() <= 4
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.pix_fmt, context.colorspace, context.color_primaries) == ("yuv420p", 1, 1)
        assert (context.color_trc, context.color_range) == (1, 1)


def test_index_comes_first_for_playing_while_loading(tmp_path):
    source = media.write_video(tmp_path / "clip.mp4", media.numbered_images(10))
    copy_video(source, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()

    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_one_frame_lasts_a_frame(tmp_path):
    with OverlayWriter(tmp_path / "out.mp4", width=48, height=32) as writer:
        writer.write(media.numbered_images(1)[0], time_s=0.0)

    assert probe(tmp_path / "out.mp4").duration_s == pytest.approx(1 / 25)


def test_an_exception_leaves_nothing_behind(tmp_path):
    old = tmp_path / "out.mp4"
    old.write_bytes(b"from before")

    with pytest.raises(KeyboardInterrupt), OverlayWriter(old, width=48, height=32) as writer:
        for image in media.numbered_images(5):
            writer.write(image, time_s=0.0)
        raise KeyboardInterrupt

    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert old.read_bytes() == b"from before"


def test_the_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "out.mp4"
    with OverlayWriter(path, width=48, height=32) as writer:
        for index, image in enumerate(media.numbered_images(40)):
            writer.write(image, time_s=index / 25)
        assert not path.exists()

    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


def test_no_frame_is_an_error(tmp_path):
    with (
        pytest.raises(VideoError, match="no frame was written"),
        OverlayWriter(tmp_path / "out.mp4", width=48, height=32),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


def test_other_sizes_are_refused(tmp_path):
    with (
        pytest.raises(ValueError, match=r"\(32, 48\)"),
        OverlayWriter(tmp_path / "out.mp4", width=48, height=32) as writer,
    ):
        writer.write(np.zeros((30, 48, 3), np.uint8), time_s=0.0)


def test_unwritable_place(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(VideoError, match="cannot be written: Not a directory") as raised:
        OverlayWriter(blocked / "out.mp4", width=48, height=32).__enter__()
    assert exit_code_of(raised.value) == 3


def test_missing_source_is_said(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        OverlayWriter(tmp_path / "out.mp4", width=48, height=32, source=tmp_path / "gone.mp4").__enter__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="file size limits are POSIX")
def test_full_disk(tmp_path):
    """A real limit of the file size, in a process of its own, stands for the full disk."""
    script = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from ovvis_cli.errors import ResourceError
from ovvis_cli.video.writer import OverlayWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
rng = np.random.default_rng(0)
try:
    with OverlayWriter(Path(sys.argv[1]), width=96, height=64) as writer:
        for index in range(100):
            writer.write(rng.integers(0, 255, (64, 96, 3), np.uint8), time_s=index / 25)
except ResourceError as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out.mp4")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={"PYTHONPATH": os.pathsep.join([".", "models"])},
        timeout=120,
    )

    assert done.stderr.strip() == (
        f"{tmp_path / 'out.mp4'}: the disk is full (free some space and run the same command to resume)"
    )
    assert list(tmp_path.iterdir()) == []
    assert exit_code_of(ResourceError("")) == 5


def tone(path):
    """Start and end in seconds and loudness (RMS) of the decoded sound."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.audio[0]))
    samples = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in frames])
    return frames[0].time, frames[-1].time + frames[-1].samples / frames[-1].rate, samples.std()


def test_equal_frames_give_equal_bytes(tmp_path):
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (96, 160, 3), dtype=np.uint8), (0, 0), 3)
    written = set()
    for turn in range(6):
        # other contents of freed memory in each turn: the encoder must not depend on them
        garbage = [rng.integers(0, 255, (1000 + 37 * turn, 77), dtype=np.uint8) for _ in range(200)]
        del garbage
        path = tmp_path / f"{turn}.mp4"
        with OverlayWriter(path, height=96, width=160) as writer:
            for step in range(24):
                writer.write(np.roll(picture, 2 * step, axis=1), time_s=step / 12)
        written.add(path.read_bytes())
    assert len(written) == 1
