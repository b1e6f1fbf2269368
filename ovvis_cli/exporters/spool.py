"""Entries of a record in the order of tracks, without holding them in memory."""

import tempfile
from array import array
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self


class TrackSpool(AbstractContextManager["TrackSpool"]):
    """Temporary file of entries, written frame by frame and read track by track."""

    def __init__(self, folder: Path) -> None:
        """Create the temporary file in `folder`."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._places: dict[int, array[int]] = {}  # frame index, offset and length of each entry

    def append(self, text: str, *, track_id: int, frame_index: int) -> None:
        """Add the entry of a track in a frame; frames come in rising order."""
        data = text.encode("utf-8")
        place = (frame_index, self._file.tell(), len(data))
        self._places.setdefault(track_id, array("q")).extend(place)
        self._file.write(data)

    def entries(self, track_id: int) -> Iterator[tuple[int, str]]:
        """Yield frame index and text of each entry of a track. Call after the last `append`."""
        places = iter(self._places.get(track_id, array("q")))
        for frame_index, offset, length in zip(places, places, places, strict=True):
            self._file.seek(offset)
            yield frame_index, self._file.read(length).decode("utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
