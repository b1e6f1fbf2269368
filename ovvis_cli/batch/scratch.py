"""Scratch space: where videos and results of a storage are kept while they are worked on."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import platformdirs

from ovvis_cli.errors import ResourceError

_GB: Final = 1_000_000_000


class Scratch:
    """A folder for videos and results on their way. The videos in it never take more than a limit."""

    def __init__(self, folder: Path | None = None, *, limit_gb: float) -> None:
        """Create no folder yet; None for the one in the user's cache."""
        self.given_folder = None if folder is None else folder.absolute()
        self.limit_gb = limit_gb
        self._limit_bytes = int(limit_gb * _GB)
        self._used_bytes = 0
        self._changed = threading.Condition()

    @property
    def folder(self) -> Path:
        """The given folder, or the one in the user's cache on this machine."""
        return self.given_folder or platformdirs.user_cache_path("ovvis", appauthor=False) / "scratch"

    @contextmanager
    def reserved(self, num_bytes: int, *, address: str) -> Iterator[None]:
        """Wait until there is space for a video, and keep it during the block.

        Raises:
            ResourceError: the video alone is larger than the limit.
        """
        if num_bytes > self._limit_bytes:
            raise ResourceError(
                f"{address} has {num_bytes / _GB:.1f} GB, scratch space {self._limit_bytes / _GB:.1f} GB",
                hint="give more with --scratch-gb",
            )
        with self._changed:
            self._changed.wait_for(lambda: self._used_bytes + num_bytes <= self._limit_bytes)
            self._used_bytes += num_bytes
        try:
            yield
        finally:
            with self._changed:
                self._used_bytes -= num_bytes
                self._changed.notify_all()

    def video_folder(self, address: str) -> Path:
        """Return the folder for the video of an address."""
        return self.folder / "videos" / _digest(address)

    def results_folder(self, output: str) -> Path:
        """Return the folder for the results on their way to an output address."""
        return self.folder / "results" / _digest(output)

    @property
    def pipes_folder(self) -> Path:
        """The folder for videos of standard input, when the results go to an address."""
        return self.folder / "pipes"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
