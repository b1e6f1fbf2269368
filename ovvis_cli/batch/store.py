"""Small text files in the results folder, and the names of the finished results in it."""

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Protocol

from ovvis_cli.atomic import disk_errors
from ovvis_cli.batch.addresses import is_storage
from ovvis_cli.record.schema import HEADER_NAME


class ResultStore(Protocol):
    """A results folder, wherever it is. Paths are relative to it, with `/`."""

    def write(self, path: str, text: str) -> None:
        """Write a file atomically, and the folders above it."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        ...

    def read_all(self, folder: str) -> dict[str, str]:
        """Return the texts of the JSON files in a folder by path; none if there is no such folder."""
        ...

    def finished_results(self) -> set[str]:
        """Return the names of the folders that hold a finished record."""
        ...


def result_store(results: str) -> ResultStore:
    """Return the store of a results folder or address.

    Raises:
        UsageError: the package for this kind of storage is not installed.
    """
    if not is_storage(results):
        return LocalStore(Path(results))
    from ovvis_cli.batch.storage import Storage

    return Storage(results)


class LocalStore:
    """A results folder on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, path: str, text: str) -> None:
        """Write a file atomically. Raises ResourceError if the disk is full or not writable.

        The temporary name is the writer's own: the tasks of a job array write the same plan at the same time.
        """
        target = self._root / path
        writer = f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
        partial = target.with_name(f".{target.name}.{writer}")
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
            partial.replace(target)

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        (self._root / path).unlink(missing_ok=True)

    def read_all(self, folder: str) -> dict[str, str]:
        """Return the texts of the JSON files in a folder by path; none if there is no such folder."""
        texts = {}
        for path in sorted((self._root / folder).glob("[!.]*.json")):  # a dot: still being written
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                text = path.read_text(encoding="utf-8", errors="replace")
                texts[path.relative_to(self._root).as_posix()] = text
        return texts

    def finished_results(self) -> set[str]:
        """Return the names of the folders that hold a finished record."""
        return {path.parent.name for path in self._root.glob(f"*/{HEADER_NAME}")}
