"""Folders of images read as video."""

import struct

import cv2
import numpy as np
import pytest

from ovvis_cli.errors import VideoError
from ovvis_cli.video.reader import ReadReport, probe, read_frames
from tests import media


def test_natural_order_and_times(tmp_path):
    folder = media.write_images(tmp_path / "walk", media.numbered_images(12))
    (folder / "notes.txt").write_text("no image")

    info, frames = probe(folder), list(read_frames(folder))

    assert (info.width, info.height, info.kind, info.num_frames_estimate) == (48, 32, "images", 12)
    assert not info.has_audio and info.average_rate == 25
    assert [media.index_of(frame.image) for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in range(12)])
    assert all(frame.image.flags.c_contiguous and frame.image.dtype == np.uint8 for frame in frames)


def test_range_stride_and_resume(tmp_path):
    folder = media.write_images(tmp_path / "walk", media.numbered_images(12))

    frames = list(read_frames(folder, start_s=0.08, end_s=0.4, stride=3, skip_frames=4))

    assert [frame.frame_index for frame in frames] == [5, 8]
    assert [media.index_of(frame.image) for frame in frames] == [5, 8]


def test_colours_come_as_rgb_and_alpha_is_dropped(tmp_path):
    image = media.corner_image()
    alpha = np.full((*image.shape[:2], 1), 7, np.uint8)
    folder = media.write_images(tmp_path / "in", [image, np.concatenate([image, alpha], axis=2)])

    frames = list(read_frames(folder))

    assert len(frames) == 2
    assert all(np.array_equal(frame.image, image) for frame in frames)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_and_sixteen_bit(tmp_path, dtype):
    folder = tmp_path / "in"
    folder.mkdir()
    scale = np.iinfo(dtype).max // 255
    cv2.imwrite(str(folder / "a.png"), np.full((5, 7), 100 * scale, dtype))

    (frame,) = read_frames(folder)

    assert frame.image.shape == (5, 7, 3) and frame.image.dtype == np.uint8
    assert (frame.image == 100).all()


def test_mixed_sizes_come_as_they_are(tmp_path):
    images = [media.corner_image((32, 48)), media.corner_image((20, 30)), media.corner_image((33, 47))]
    folder = media.write_images(tmp_path / "in", images)

    assert [frame.image.shape[:2] for frame in read_frames(folder)] == [(32, 48), (20, 30), (33, 47)]


@pytest.mark.parametrize(("orientation", "corners"), [(1, "RGBW"), (3, "WBGR"), (6, "BRWG"), (8, "GWRB")])
def test_exif_orientation_is_applied(tmp_path, orientation, corners):
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), cv2.cvtColor(media.corner_image((64, 96)), cv2.COLOR_RGB2BGR))
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\x00\x2a" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    segment = b"Exif\x00\x00" + tiff
    jpeg = path.read_bytes()
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:])

    (frame,) = read_frames(path)

    assert media.corners_of(frame.image) == corners
    assert (probe(path).height, probe(path).width) == frame.image.shape[:2]


def test_unreadable_images_are_counted_and_leave_their_index_out(tmp_path):
    folder = media.write_images(tmp_path / "in", media.numbered_images(4))
    (folder / "frame1.png").write_bytes(b"no image at all")
    (folder / "frame2.png").write_bytes(b"")
    report = ReadReport()

    frames = list(read_frames(folder, report=report))

    assert [frame.frame_index for frame in frames] == [0, 3]
    assert report.errors == 2 and report.frames_decoded == 2 and report.expected_frames == 4
    assert "frame1.png" in report.first_error


def test_only_unreadable_images(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no image")

    with pytest.raises(VideoError, match=r"in: no image is readable \(a\.png is not a readable image\)"):
        probe(folder)
    with pytest.raises(VideoError, match="no image is readable"):
        list(read_frames(folder))


def test_resuming_before_an_unreadable_last_image_is_no_error(tmp_path):
    folder = media.write_images(tmp_path / "in", media.numbered_images(3))
    (folder / "frame2.png").write_bytes(b"no image")

    assert list(read_frames(folder, skip_frames=2)) == []


def test_missing_image(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.png: no such file"):
        probe(tmp_path / "gone.png")
