"""Video from standard input or a named pipe: kept as a file, because it is read several times."""

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
    """Whether an argument stands for bytes that come only once."""
    return argument == STANDARD_INPUT or Path(argument).is_fifo()


def keep_pipe(argument: str, *, output: Path) -> Path:
    """Reads a pipe to its end into a file of `output`; the name of the file follows from its content.

    Raises:
        UsageError: standard input is a terminal.
        VideoError: nothing came.
        ResourceError: the disk is full or not writable.
    """
    if argument == STANDARD_INPUT and sys.stdin.isatty():
        raise UsageError(
            "- reads standard input, but it is a terminal", hint="cat clip.mp4 | ovvis segment -"
        )
    partial = output / ".standard-input.partial"
    try:
        with disk_errors(partial), partial.open("wb") as file:
            is_standard_input = argument == STANDARD_INPUT
            with nullcontext(sys.stdin.buffer) if is_standard_input else Path(argument).open("rb") as pipe:
                digest = _copy(pipe, file)
            num_bytes = file.tell()
        if num_bytes == 0:
            raise VideoError("nothing came from standard input", hint="does the command before the | work?")
        kept = output / f"stdin-{digest[:12]}.video"
        return kept if kept.exists() else partial.replace(kept)  # as it is, a finished result stays valid
    finally:
        partial.unlink(missing_ok=True)


def _copy(pipe: BinaryIO, file: BinaryIO) -> str:
    """Copies to the end; the digest of what was copied."""
    digest = hashlib.sha256()
    while data := pipe.read(_CHUNK_BYTES):
        digest.update(data)
        file.write(data)
    return digest.hexdigest()
