"""The rate of sources without time stamps: their own where they state one, else the one given, else 25."""

from fractions import Fraction

import cv2
import pytest

from ovvis_cli.video.reader import probe, read_frames
from tests import media


def times(path, **options):
    return [frame.time_s for frame in read_frames(path, **options)]


def at_rate(rate, num_frames=12):
    return pytest.approx([float(index / Fraction(rate)) for index in range(num_frames)])


@pytest.mark.parametrize(("name", "codec"), [("cam.h264", "libx264"), ("cam.h265", "libx265")])
def test_a_raw_stream_has_the_rate_that_it_states(tmp_path, name, codec):
    rate = Fraction(12)
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    spec = media.VideoSpec(rate=rate, codec=codec, time_base=1 / rate, options=options)
    images = media.numbered_images(12, (128, 192))  # libx265 damages memory with much smaller pictures
    path = media.write_video(tmp_path / name, images, spec)

    info = probe(path)

    assert (info.average_rate, info.rate_origin) == (12, "stated")
    assert times(path) == at_rate(12)


def test_the_rate_given_goes_before_the_one_stated(tmp_path):
    spec = media.VideoSpec(rate=Fraction(12), time_base=Fraction(1, 12))
    path = media.write_video(tmp_path / "cam.h264", media.numbered_images(12), spec)

    assert times(path, rate=Fraction(30000, 1001)) == at_rate(Fraction(30000, 1001))
    assert probe(path, rate=Fraction(5)).rate_origin == "given"


@pytest.fixture
def motion_jpeg(tmp_path):
    path = tmp_path / "cam.mjpeg"
    path.write_bytes(
        b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in media.numbered_images(12))
    )
    return path


def test_a_stream_that_states_no_rate_says_that_one_is_assumed(motion_jpeg):
    assert (probe(motion_jpeg).average_rate, probe(motion_jpeg).rate_origin) == (25, "assumed")
    assert times(motion_jpeg) == at_rate(25)


def test_a_stream_that_states_no_rate_takes_the_one_given(motion_jpeg):
    assert (probe(motion_jpeg, rate=Fraction(8)).average_rate) == 8
    assert times(motion_jpeg, rate=Fraction(8)) == at_rate(8)


def test_images_take_the_rate_given(tmp_path):
    folder = media.write_images(tmp_path / "in", media.numbered_images(12))

    assert (probe(folder).rate_origin, probe(folder, rate=Fraction(2)).rate_origin) == ("assumed", "given")
    assert times(folder, rate=Fraction(2)) == at_rate(2)
    assert probe(folder, rate=Fraction(2)).duration_s == 6


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.y4m", "rawvideo", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p"), ("a.mkv", "libx264", "yuv420p")],
)
def test_times_of_a_container_are_not_replaced(tmp_path, name, codec, pix_fmt):
    rate = Fraction(10)
    options = {"strict": "-1"} if name == "a.y4m" else {}
    if name == "a.y4m":
        codec = "wrapped_avframe"
    spec = media.VideoSpec(rate=rate, codec=codec, pix_fmt=pix_fmt, time_base=1 / rate, options=options)
    path = media.write_video(tmp_path / name, media.numbered_images(12), spec)

    assert probe(path, rate=Fraction(50)).rate_origin == "time stamps"
    assert times(path, rate=Fraction(50)) == at_rate(10)


@pytest.mark.parametrize("audio", [None, "aac"])
def test_joined_short_recordings_follow_at_normal_speed(tmp_path, audio):
    spec = media.VideoSpec(rate=Fraction(12), audio=audio)
    piece = media.write_video(tmp_path / "piece.ts", media.numbered_images(6), spec).read_bytes()
    (tmp_path / "joined.ts").write_bytes(piece * 4)

    joined = times(tmp_path / "joined.ts")

    assert [time_s - joined[0] for time_s in joined] == at_rate(12, num_frames=24)
