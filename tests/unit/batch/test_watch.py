"""Videos that appear in a watched folder are taken once, when they are complete."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ovvis_cli.batch.watch import check_watched, watch_folders
from ovvis_cli.errors import UsageError
from ovvis_cli.video.inputs import Source


class Watch:
    """A watched folder, looked at without real pauses; `clock` moves when the test says so."""

    def __init__(self, folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr("time.monotonic", lambda: self.now_s)
        self.planned: list[Source] = []
        self._sources: Iterator[Source | None] = watch_folders(
            [folder], output=output, on_new=self.planned.extend, pause_s=0.0, settled_s=5.0
        )

    def after(self, seconds: float) -> list[str]:
        """Names of the videos that are taken at a look after a while."""
        self.now_s += seconds
        names = []
        while (source := next(self._sources)) is not None:
            names.append(source.name)
        return names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "incoming"
    path.mkdir()
    return path


@pytest.fixture
def watch(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(folder, tmp_path / "out", monkeypatch)


def test_a_video_is_taken_once_when_it_no_longer_grows(watch: Watch, folder: Path) -> None:
    assert watch.after(0) == []
    (folder / "a.mp4").write_bytes(b"1")
    assert watch.after(1) == []
    (folder / "a.mp4").write_bytes(b"12")
    assert watch.after(5) == []
    assert watch.after(4.9) == []
    assert watch.after(0.1) == ["a"]
    assert watch.after(60) == []
    assert [source.name for source in watch.planned] == ["a"]


def test_videos_of_one_name_get_names_of_their_own(watch: Watch, folder: Path) -> None:
    (folder / "a.mp4").write_bytes(b"1")
    (folder / "a.mov").write_bytes(b"1")
    watch.after(0)
    assert sorted(watch.after(6)) == ["incoming-a.mov", "incoming-a.mp4"]


def test_a_video_that_changes_is_taken_again(watch: Watch, folder: Path) -> None:
    (folder / "a.mp4").write_bytes(b"1")
    watch.after(0)
    assert watch.after(6) == ["a"]
    (folder / "a.mp4").write_bytes(b"123")
    assert watch.after(1) == []
    assert watch.after(6) == ["a"]


def test_other_files_and_files_in_transfer_are_left_alone(watch: Watch, folder: Path) -> None:
    for name in ("notes.txt", ".a.mp4.X7f3", ".hidden.mp4"):
        (folder / name).write_bytes(b"1")
    (folder / "broken-link.mp4").symlink_to(folder / "nowhere.mp4")
    watch.after(0)
    assert watch.after(6) == []


def test_only_folders_can_be_watched(folder: Path) -> None:
    assert check_watched([str(folder)]) == [folder]
    with pytest.raises(UsageError, match="is not a folder"):
        check_watched([str(folder), str(folder / "a.mp4")])
