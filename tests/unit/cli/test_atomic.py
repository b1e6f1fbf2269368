"""Files appear whole or not at all."""

import errno

import pytest

from ovvis_cli.atomic import atomic_path, disk_errors, write_bytes_atomic, write_text_atomic
from ovvis_cli.errors import ResourceError


def test_replaces_whole(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_text_atomic(path, "ä1\n")
    write_bytes_atomic(path, b"2")
    assert path.read_bytes() == b"2"
    assert list(path.parent.iterdir()) == [path]


def test_failure_leaves_the_former_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftover_of_a_killed_process_is_replaced(tmp_path):
    path = tmp_path / "a.mp4"
    with atomic_path(path) as partial:
        name = partial.name
        partial.write_text("x")
    assert name.endswith(".mp4")
    (tmp_path / name).mkdir()
    write_text_atomic(path, "y")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


def test_folder_replaces_folder(tmp_path):
    path = tmp_path / "frames"
    for content in ("1", "2"):
        with atomic_path(path) as partial:
            partial.mkdir()
            (partial / content).write_text(content)
    assert [entry.name for entry in path.iterdir()] == ["2"]


@pytest.mark.parametrize(
    ("code", "message"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "cannot write")]
)
def test_disk_errors(tmp_path, code, message):
    with pytest.raises(ResourceError, match=message), disk_errors(tmp_path / "x"):
        raise OSError(code, "as the system says")


def test_other_errors_pass(tmp_path):
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path):
        (tmp_path / "none").read_text()
