"""The video of a record folder, finished or not."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ovvis_cli.errors import RecordError
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import CHECKPOINT_NAME, HEADER_NAME, SourceInfo

SOURCE_KEY = "source"  # in the metadata of a checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSource:
    """Identity of a video: its path, size and last change; the latter two are None for a stream."""

    path: str
    size_bytes: int | None
    modified_ns: int | None


def recorded_source(folder: Path) -> RecordedSource | None:
    """Return the video of the record in `folder`, or None without a readable record."""
    if (folder / HEADER_NAME).is_file():
        try:
            source = Record.open(folder).header.source
        except RecordError:
            return None
        return RecordedSource(path=source.path, size_bytes=source.size_bytes, modified_ns=source.modified_ns)
    try:
        with safe_open(folder / CHECKPOINT_NAME, framework="pt", device="cpu") as file:
            return RecordedSource(**json.loads((file.metadata() or {})[SOURCE_KEY]))
    except (SafetensorError, OSError, ValueError, TypeError, KeyError):
        return None


def source_note(source: SourceInfo) -> str:
    """Return the text that names the video in a checkpoint."""
    return json.dumps(
        {"path": source.path, "size_bytes": source.size_bytes, "modified_ns": source.modified_ns}
    )
