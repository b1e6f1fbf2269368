"""Files that appear whole or not at all: written under a temporary name in the same folder, then renamed."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ovvis_cli.errors import ResourceError

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}
)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; when the body ends well it is flushed and renamed to `path`.

    The temporary name keeps the suffix of `path` (muxers choose by it) and is the same each time, so that
    what a killed process left behind is overwritten by the next attempt. The body may make a file or a folder
    of it; a folder replaces a former folder.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        try:
            yield partial
            if partial.is_dir():
                _remove(path)
            else:
                fsync_file(partial)
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                _remove(partial)
            raise
        _fsync_folder(path.parent)


def take_lock(file: IO[Any], *, name: str) -> None:
    """Locks an open file for this process until it is closed; `name` is what is written, for the message.

    Raises:
        ResourceError: another process holds it.
    """
    if sys.platform == "win32":  # there, open files cannot be replaced anyway
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ResourceError(f"another ovvis is changing {name}", hint="wait for it to end") from error


def write_text_atomic(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 to `path`, whole or not at all. Raises ResourceError as `atomic_path` does."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all. Raises ResourceError as `atomic_path` does."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns "disk full" and "not allowed" of the body into a ResourceError about `path`; others go through.

    Raises:
        ResourceError: the disk is full or `path` cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise ResourceError(
                f"no space left to write {path}",
                hint="free some space, or choose another place with --output; the same command then goes on",
            ) from error
        if error.errno in _DENIED:
            raise ResourceError(
                f"cannot write {path}: {error.strerror}", hint="choose another place with --output"
            ) from error
        raise


def make_folder(path: Path) -> None:
    """Makes the folder and those above it where they are missing.

    Raises:
        ResourceError: it cannot be made or is a file.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot make the folder {path}: {error.strerror}", hint="choose another place with --output"
        ) from error


def fsync_file(path: Path) -> None:
    """Waits until the content of `path` is on the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there; the rename itself is journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse it; the rename has happened
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
