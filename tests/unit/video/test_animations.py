"""Images that move are videos of all their pictures, whatever their name."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from ovvis_cli.errors import VideoError
from ovvis_cli.video import animation
from ovvis_cli.video.image_types import image_type
from ovvis_cli.video.location import parse_location
from ovvis_cli.video.reader import ReadReport, probe, read_frames
from tests import media

DURATIONS_MS = [100, 200, 50, 400, 100, 100]


def write_animation(path, suffix, *, num_frames=6):
    """An animated image in the format of `suffix`, under any name; see `indices`."""
    images = media.numbered_images(10 * num_frames)[::10]  # WebP would join pictures that are almost equal
    target = path.with_name(f"made{suffix}")
    if suffix == ".tif":
        assert cv2.imwritemulti(str(target), images)
    else:
        made = cv2.Animation()
        made.frames = [cv2.cvtColor(image, cv2.COLOR_RGB2BGRA) for image in images]
        made.durations = np.array(DURATIONS_MS[:num_frames], np.int32)
        assert cv2.imwriteanimation(str(target), made)
    target.rename(path)
    return path


def indices(frames):
    """Which pictures of `write_animation` these are."""
    return [media.index_of(frame.image) / 10 for frame in frames]


@pytest.mark.parametrize("name", ["a.webp", "b.mp4", "c", "d.PNG", "some dots. and spaces.gif", "é犬.tiff"])
@pytest.mark.parametrize("suffix", [".webp", ".png", ".gif", ".avif", ".tif"])
def test_all_pictures_come_whatever_the_name(tmp_path, suffix, name):
    path = write_animation(tmp_path / name, suffix)

    info, frames = probe(path), list(read_frames(path))

    assert indices(frames) == list(range(6))
    assert info.kind == "video" and (info.height, info.width) == (32, 48)
    if suffix == ".tif":
        expected, origin = [index / 25 for index in range(6)], "assumed"
    else:
        expected, origin = [sum(DURATIONS_MS[:index]) / 1000 for index in range(6)], "time stamps"
    assert [frame.time_s for frame in frames] == pytest.approx(expected, abs=0.002)
    assert info.rate_origin == origin


@pytest.mark.parametrize("suffix", [".webp", ".png", ".gif", ".avif", ".tif", ".jpg", ".bmp", ".jp2", ".ppm"])
@pytest.mark.parametrize("name", ["x", "x.mp4", "x.webp"])
def test_a_still_picture_is_one_image_whatever_the_name(tmp_path, suffix, name):
    image = media.numbered_images(4)[3]
    assert cv2.imwrite(str(tmp_path / f"made{suffix}"), image)
    (tmp_path / f"made{suffix}").rename(tmp_path / name)

    (frame,) = read_frames(tmp_path / name)

    assert media.index_of(frame.image) == 3
    assert frame.image_name == name
    assert probe(tmp_path / name).kind == "images"


@pytest.mark.parametrize("name", ["clip.png", "clip.webp", "clip", "clip.JPG"])
def test_a_video_is_one_whatever_its_name(tmp_path, name):
    path = media.write_video(tmp_path / "made.mp4", media.numbered_images(5)).rename(tmp_path / name)

    assert parse_location(path).kind == "file"
    assert [media.index_of(frame.image) for frame in read_frames(path)] == list(range(5))


def test_raw_motion_jpeg_is_a_video_whatever_its_name(tmp_path):
    images = [cv2.imencode(".jpg", image)[1].tobytes() for image in media.numbered_images(5)]
    (tmp_path / "camera.jpg").write_bytes(b"".join(images))
    (tmp_path / "one.jpg").write_bytes(images[0])

    assert image_type(tmp_path / "one.jpg") == "still"
    assert [media.index_of(frame.image) for frame in read_frames(tmp_path / "camera.jpg")] == list(range(5))


@pytest.mark.parametrize("suffix", [".webp", ".tif"])
def test_range_stride_and_resume(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(animation, "_MAX_PIXELS_AT_ONCE", 2 * 32 * 48)  # two pictures at a time
    path = write_animation(tmp_path / "a", suffix)
    first_s = 0.1 if suffix == ".webp" else 0.04

    assert [frame.frame_index for frame in read_frames(path, start_s=first_s, stride=2)] == [1, 3, 5]
    assert [frame.frame_index for frame in read_frames(path, skip_frames=4)] == [4, 5]
    assert indices(read_frames(path)) == list(range(6))


def test_tiff_pages_take_the_rate_that_is_given(tmp_path):
    path = write_animation(tmp_path / "stack.tif", ".tif")

    assert [frame.time_s for frame in read_frames(path, rate=Fraction(2))] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert probe(path, rate=Fraction(2)).average_rate == 2


def test_what_a_cut_off_animation_lacks_is_counted(tmp_path):
    path = tmp_path / "a.webp"
    made = cv2.Animation()
    made.frames = [
        cv2.cvtColor(image, cv2.COLOR_RGB2BGRA) for image in media.numbered_images(6, (64, 96), noise=8)
    ]
    made.durations = np.array(DURATIONS_MS, np.int32)
    assert cv2.imwriteanimation(str(path), made)
    media.cut_off(path, keep=0.6)
    report = ReadReport()
    try:
        frames = list(read_frames(path, report=report))
    except VideoError as error:
        assert "no frame is readable" in str(error)
    else:
        assert len(frames) == 6 or report.damaged


def test_a_damaged_animation_is_refused_in_one_line(tmp_path):
    path = write_animation(tmp_path / "a.webp", ".webp")
    path.write_bytes(path.read_bytes()[:60])

    with pytest.raises(VideoError, match=r"a\.webp: no frame is readable"):
        probe(path)
