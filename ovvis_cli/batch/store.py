"""Small text files in the results folder, and the names of the finished results in it."""

from pathlib import Path
from typing import Protocol

from ovvis_cli.atomic import write_text_atomic
from ovvis_cli.record.schema import HEADER_NAME


class ResultStore(Protocol):
    """A results folder, wherever it is. Paths are relative to it, with `/`."""

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None if there is none."""
        ...

    def write(self, path: str, text: str) -> None:
        """Write a file atomically, and the folders above it."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        ...

    def files_in(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder, sorted; none if there is no such folder."""
        ...

    def finished_results(self) -> set[str]:
        """Return the names of the folders that hold a finished record."""
        ...


class LocalStore:
    """A results folder on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None if there is none."""
        try:
            return (self._root / path).read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, text: str) -> None:
        """Write a file atomically. Raises ResourceError if the disk is full or not writable."""
        write_text_atomic(self._root / path, text)

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        (self._root / path).unlink(missing_ok=True)

    def files_in(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder, sorted, without those that are still being written."""
        found = (self._root / folder).glob("[!.]*.json")
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def finished_results(self) -> set[str]:
        """Return the names of the folders that hold a finished record."""
        return {path.parent.name for path in self._root.glob(f"*/{HEADER_NAME}")}
