"""Reading intact video of every kind: which frames come, when, and how they look."""

from fractions import Fraction

import numpy as np
import pytest

from ovvis_cli.errors import UsageError
from ovvis_cli.video.reader import ReadReport, probe, read_frames
from tests import media


def indices(path, **options):
    return [media.index_of(frame.image) for frame in read_frames(path, **options)]


@pytest.fixture
def clip(tmp_path):
    return media.write_video(tmp_path / "clip.mp4", media.numbered_images(30), media.VideoSpec(audio="aac"))


def test_probe_describes_the_video(clip):
    info = probe(clip)

    assert (info.width, info.height, info.codec, info.kind) == (48, 32, "h264", "video")
    assert info.has_audio and info.rotation_deg == 0
    assert info.num_frames_estimate == 30
    assert info.average_rate == 30 and type(info.average_rate) is Fraction
    assert info.duration_s == pytest.approx(1.0)


def test_every_frame_comes_once_with_its_time(clip):
    report = ReadReport()
    frames = list(read_frames(clip, report=report))

    assert [media.index_of(frame.image) for frame in frames] == list(range(30))
    assert [frame.frame_index for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 30 for index in range(30)], abs=1e-9)
    assert frames[0].image.shape == (32, 48, 3) and frames[0].image.dtype == np.uint8
    assert all(frame.image.flags.c_contiguous for frame in frames)
    assert report.frames_decoded == 30 and not report.damaged and report.message() == ""


def test_range_and_stride_keep_the_true_index(clip):
    frames = list(read_frames(clip, start_s=0.5, end_s=0.9, stride=5))

    assert [frame.frame_index for frame in frames] == [15, 20, 25]
    assert [media.index_of(frame.image) for frame in frames] == [15, 20, 25]
    assert [frame.time_s for frame in frames] == pytest.approx([0.5, 20 / 30, 25 / 30])


def test_end_is_exclusive_and_start_inclusive(clip):
    assert indices(clip, start_s=0.0, end_s=0.1) == [0, 1, 2]


@pytest.mark.parametrize("skip", [0, 1, 7, 12, 29])
def test_resuming_gives_the_frames_that_were_left(clip, skip):
    whole = [frame.frame_index for frame in read_frames(clip, start_s=0.1, stride=3)]
    rest = list(read_frames(clip, start_s=0.1, stride=3, skip_frames=skip))

    assert [frame.frame_index for frame in rest] == [index for index in whole if index >= skip]
    assert [media.index_of(frame.image) for frame in rest] == [frame.frame_index for frame in rest]


def test_resuming_after_the_last_frame_gives_nothing(clip):
    assert indices(clip, skip_frames=30) == []


@pytest.mark.parametrize(
    "options", [{"start_s": -1}, {"start_s": 2, "end_s": 2}, {"stride": 0}, {"start_s": float("nan")}]
)
def test_impossible_ranges_are_refused_before_reading(clip, options):
    with pytest.raises(UsageError):
        read_frames(clip, **options)


def test_a_range_without_frames_is_an_error_that_names_it(clip):
    with pytest.raises(UsageError, match=r"clip\.mp4: no frame between --start 5 s and the end"):
        list(read_frames(clip, start_s=5))


def test_variable_frame_rate_keeps_the_real_times(tmp_path):
    times_s = [0.0, 0.01, 0.5, 0.53, 2.0]
    spec = media.VideoSpec(times_s=times_s)
    path = media.write_video(tmp_path / "vfr.mp4", media.numbered_images(5), spec)

    frames = list(read_frames(path))

    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert [media.index_of(frame.image) for frame in frames] == list(range(5))


def test_transport_stream_times_start_at_zero(tmp_path):
    spec = media.VideoSpec(audio="aac")
    path = media.write_video(tmp_path / "clip.ts", media.numbered_images(20), spec)

    times_s = [frame.time_s for frame in read_frames(path)]

    assert len(times_s) == 20
    assert 0 <= times_s[0] < 0.1
    assert np.diff(times_s) == pytest.approx(1 / 30, abs=1e-4)


def test_raw_stream_without_time_stamps_gets_times_from_its_rate(tmp_path):
    path = media.write_video(tmp_path / "clip.h264", media.numbered_images(12))

    frames = list(read_frames(path))

    assert [media.index_of(frame.image) for frame in frames] == list(range(12))
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)


@pytest.mark.parametrize(("turn", "corners"), [(0, "RGBW"), (90, "BRWG"), (180, "WBGR"), (270, "GWRB")])
def test_rotated_video_comes_upright(tmp_path, turn, corners):
    spec = media.VideoSpec(display_matrix=media.DISPLAY_MATRICES[turn])
    path = media.write_video(tmp_path / "phone.mp4", [media.corner_image((32, 48))] * 3, spec)

    info, frames = probe(path), list(read_frames(path))

    size = (48, 32) if turn in {90, 270} else (32, 48)
    assert (info.height, info.width, info.rotation_deg) == (*size, turn)
    assert all(frame.image.shape == (*size, 3) and frame.image.flags.c_contiguous for frame in frames)
    assert {media.corners_of(frame.image) for frame in frames} == {corners}


def test_mirrored_video_is_mirrored_back(tmp_path):
    spec = media.VideoSpec(display_matrix=media.MIRRORED_MATRIX)
    path = media.write_video(tmp_path / "selfie.mp4", [media.corner_image()], spec)

    assert media.corners_of(next(read_frames(path)).image) == "GRWB"


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("ten_bit.mp4", media.VideoSpec(codec="libx264", pix_fmt="yuv420p10le")),
        ("hevc_ten_bit.mkv", media.VideoSpec(codec="libx265", pix_fmt="yuv420p10le")),
        ("full_range.mp4", media.VideoSpec(pix_fmt="yuvj420p")),
        ("prores.mov", media.VideoSpec(codec="prores_ks", pix_fmt="yuv422p10le")),
        ("vp9.webm", media.VideoSpec(codec="libvpx-vp9", time_base=Fraction(1, 1000))),
        ("rgb.mkv", media.VideoSpec(codec="ffv1", pix_fmt="bgr0", time_base=Fraction(1, 1000))),
    ],
)
def test_other_codecs_and_depths_become_eight_bit_rgb(tmp_path, name, spec):
    path = media.write_video(tmp_path / name, [media.corner_image((64, 96))] * 4, spec)

    frames = list(read_frames(path))

    assert len(frames) == 4
    for frame in frames:
        assert frame.image.dtype == np.uint8 and frame.image.shape == (64, 96, 3)
        for (y, x), color in {(16, 24): media.RED, (16, 72): media.GREEN, (48, 24): media.BLUE}.items():
            assert np.abs(frame.image[y, x].astype(int) - color).max() <= 12


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "gray"), ("ffv1", "gray"), ("ffv1", "gray16le")])
def test_grey_video_becomes_rgb(tmp_path, codec, pix_fmt):
    spec = media.VideoSpec(codec=codec, pix_fmt=pix_fmt)
    path = media.write_video(tmp_path / "grey.mkv", media.numbered_images(5), spec)

    frames = list(read_frames(path))

    assert [media.index_of(frame.image) for frame in frames] == list(range(5))
    assert all(np.ptp(frame.image, axis=2).max() == 0 for frame in frames)


def test_alpha_is_dropped_and_colours_stay(tmp_path):
    opaque = media.corner_image()
    alpha = np.zeros((*opaque.shape[:2], 1), np.uint8)
    alpha[:, ::2] = 255
    spec = media.VideoSpec(codec="qtrle", pix_fmt="argb")
    path = media.write_video(tmp_path / "alpha.mov", [np.concatenate([opaque, alpha], axis=2)] * 2, spec)

    frames = list(read_frames(path))

    assert len(frames) == 2
    assert all(np.array_equal(frame.image, opaque) for frame in frames)


@pytest.mark.parametrize("hw", [(33, 47), (1, 1), (1, 64), (2, 3)])
def test_odd_and_tiny_sizes(tmp_path, hw):
    spec = media.VideoSpec(codec="ffv1", pix_fmt="bgr0", time_base=Fraction(1, 1000))
    path = media.write_video(tmp_path / "odd.mkv", media.numbered_images(3, hw), spec)

    info = probe(path)

    assert (info.height, info.width) == hw
    assert [(frame.image.shape, media.index_of(frame.image)) for frame in read_frames(path)] == [
        ((*hw, 3), index) for index in range(3)
    ]


def test_size_that_changes_midway_comes_as_decoded(tmp_path):
    small = media.write_video(tmp_path / "a.h264", media.numbered_images(6, (32, 48)))
    large = media.write_video(tmp_path / "b.h264", media.numbered_images(5, (64, 32)))
    path = tmp_path / "joined.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())

    frames = list(read_frames(path))

    assert [frame.image.shape[:2] for frame in frames] == [(32, 48)] * 6 + [(64, 32)] * 5
    assert [media.index_of(frame.image) for frame in frames] == [*range(6), *range(5)]
    assert [frame.frame_index for frame in frames] == list(range(11))


def test_single_frame(tmp_path):
    path = media.write_video(tmp_path / "one.mp4", media.numbered_images(1))

    assert indices(path) == [0]


def test_names_that_look_like_protocols_or_cameras_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = media.numbered_images(2)
    media.write_video(tmp_path / "x.mp4", images).rename(tmp_path / "take:2.mp4")
    media.write_video(tmp_path / "x.mp4", images).rename(tmp_path / "0")

    assert indices("take:2.mp4") == [0, 1]
    assert indices("0") == [0, 1]
