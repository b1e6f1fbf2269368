"""Atomic file writes: under a temporary name in the same folder, then renamed."""

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
def atomic_path(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; after the body succeeds, flush it and rename it to `path`.

    The temporary name keeps the suffix of `path` (muxers depend on it) and is the same each time, so that the
    next attempt overwrites the remains of a killed process. The body may create a file or a folder there; a
    folder replaces an existing folder. With `shared`, several processes may write `path` at a time; each has
    a temporary name of its own, and the last one counts.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    own = f".{os.getpid()}" if shared else ""
    partial = path.with_name(f".{path.stem}{own}.partial{path.suffix}")
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


@contextlib.contextmanager
def work_folder(*, beside: Path) -> Iterator[Path]:
    """Yield an empty folder for temporary files next to the output `beside`, and remove it afterwards.

    Its name is the same each time, so that the next attempt removes the remains of a killed process.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    folder = beside.with_name(f".{beside.name}.work")
    with disk_errors(beside):
        _remove(folder)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                _remove(folder)


def take_lock(file: IO[Any], *, name: str) -> None:
    """Lock an open file for this process until it is closed; the error message refers to it as `name`.

    Raises:
        ResourceError: another process holds the lock.
    """
    if sys.platform == "win32":  # open files cannot be replaced there anyway
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ResourceError(
            f"another ovvis process is writing {name}", hint="wait until it has finished"
        ) from error


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` atomically. Raises ResourceError as `atomic_path` does."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically. Raises ResourceError as `atomic_path` does."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Convert "disk full" and "permission denied" errors of the body to a ResourceError about `path`.

    Raises:
        ResourceError: the disk is full or `path` cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise ResourceError(
                f"no space left to write {path}",
                hint="free some space and run the same command to resume, or choose another --output",
            ) from error
        if error.errno in _DENIED:
            raise ResourceError(
                f"cannot write {path}: {error.strerror}", hint="choose another --output"
            ) from error
        raise


def make_folder(path: Path) -> None:
    """Create the folder and its parents if they do not exist.

    Raises:
        ResourceError: the folder cannot be created, or is a file.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot create the folder {path}: {error.strerror}", hint="choose another --output"
        ) from error


def fsync_file(path: Path) -> None:
    """Wait until the content of `path` is on disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there, and the rename is journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems do not support it
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
