"""Video from standard input or a named pipe, saved as a file because it is read several times."""

import hashlib
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from ovvis_cli.atomic import disk_errors
from ovvis_cli.errors import UsageError, VideoError

STANDARD_INPUT = "-"
_CHUNK_BYTES = 1 << 20


def is_pipe(argument: str) -> bool:
    """Return whether an argument is standard input or a named pipe, which can be read only once."""
    return argument == STANDARD_INPUT or Path(argument).is_fifo()


def keep_pipe(argument: str, *, output: Path) -> Path:
    """Copy a pipe into a file in `output` that is named after its content, and return the file's path.

    Raises:
        UsageError: standard input is a terminal.
        VideoError: the pipe was empty.
        ResourceError: the disk is full or not writable.
    """
    if argument == STANDARD_INPUT and sys.stdin.isatty():
        raise UsageError(
            "'-' reads standard input, which is a terminal here",
            hint="pipe a video into it: cat clip.mp4 | ovvis segment -",
        )
    partial = output / ".standard-input.partial"
    try:
        with disk_errors(partial), partial.open("wb") as file:
            is_standard_input = argument == STANDARD_INPUT
            with nullcontext(sys.stdin.buffer) if is_standard_input else Path(argument).open("rb") as pipe:
                digest = _copy(pipe, file)
            num_bytes = file.tell()
        if num_bytes == 0:
            raise VideoError("standard input is empty", hint="check the command before the |")
        kept = output / f"stdin-{digest[:12]}.video"
        return kept if kept.exists() else partial.replace(kept)  # keeps its time stamp: results stay valid
    finally:
        partial.unlink(missing_ok=True)


def _copy(pipe: BinaryIO, file: BinaryIO) -> str:
    """Copy a pipe to its end and return the SHA-256 digest of its content."""
    digest = hashlib.sha256()
    while data := pipe.read(_CHUNK_BYTES):
        digest.update(data)
        file.write(data)
    return digest.hexdigest()
