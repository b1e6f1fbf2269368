"""Cameras, with the device replaced by a fake one."""

import cv2
import numpy as np
import pytest

from ovvis_cli.errors import VideoError
from ovvis_cli.video import camera
from ovvis_cli.video.reader import probe, read_frames
from tests import media


class FakeCapture:
    """Gives as many pictures as `camera.cv2.VideoCapture` would before it is unplugged."""

    num_frames = 5
    released = 0

    def __init__(self, index):
        assert index == 3
        self._images = iter(media.numbered_images(self.num_frames))

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return True

    def read(self):
        image = next(self._images, None)
        return image is not None, image

    def get(self, prop):
        assert prop == cv2.CAP_PROP_FPS
        return 29.97

    def release(self):
        type(self).released += 1


@pytest.fixture
def fake(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(camera.cv2, "VideoCapture", FakeCapture)
    monkeypatch.setattr(FakeCapture, "released", 0)


def test_frames_come_with_rising_times_until_the_camera_ends(fake):
    info, frames = probe("3"), list(read_frames("3", stride=2))

    assert (info.kind, info.width, info.height, info.duration_s) == ("stream", 48, 32, None)
    assert [frame.frame_index for frame in frames] == [0, 2, 4]
    assert [media.index_of(frame.image) for frame in frames] == [0, 2, 4]
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0) and frames[0].time_s == 0
    assert FakeCapture.released == 2


def test_leaving_early_releases_the_camera(fake):
    frames = read_frames("3")
    next(frames)
    frames.close()

    assert FakeCapture.released == 1


def test_a_camera_without_a_picture(fake, monkeypatch):
    monkeypatch.setattr(FakeCapture, "num_frames", 0)

    with pytest.raises(VideoError, match="camera 3: returned no frame"):
        probe("3")
    with pytest.raises(VideoError, match="camera 3: returned no frame"):
        list(read_frames("3"))
