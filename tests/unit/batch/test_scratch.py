"""Scratch space is bounded, however many videos are worked on at a time."""

import threading
from pathlib import Path

import pytest

from ovvis_cli.batch.scratch import Scratch
from ovvis_cli.errors import ResourceError

GB = 1_000_000_000


def test_a_video_waits_until_there_is_space(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, limit_gb=1)
    entered = threading.Event()

    def second() -> None:
        with scratch.reserved(GB // 2 + 1, address="b"):
            entered.set()

    with scratch.reserved(GB // 2, address="a"):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(30)
    thread.join()


def test_videos_that_fit_are_worked_on_together(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, limit_gb=1)
    with scratch.reserved(GB // 2, address="a"), scratch.reserved(GB // 2, address="b"):
        pass


def test_a_video_that_never_fits_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ResourceError, match="b has 2.0 GB, scratch space 1.0 GB"),
        Scratch(tmp_path, limit_gb=1).reserved(2 * GB, address="b"),
    ):
        pass


def test_each_address_has_folders_of_its_own(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, limit_gb=1)
    folders = {scratch.video_folder("s3://a/x.mp4"), scratch.video_folder("s3://b/x.mp4")}
    assert len(folders | {scratch.results_folder("s3://a"), scratch.pipes_folder}) == 4
