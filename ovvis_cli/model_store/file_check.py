"""Is a file the one that a publisher offers? Size and checksums as far as they are known."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_PAGE_STARTS: Final = (b"<!doctype", b"<html", b"<?xml", b"version https://git-lfs")
_START_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of a file before it comes; None for what is not known."""

    sha256: str | None
    md5_start: str | None
    size_bytes: int | None
    most_bytes: int  # a longer file is refused


def fault_of(path: Path, expected: Expected) -> str | None:
    """What of a file is not as expected, in words; None where all that is known of it holds."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if is_page(file.read(_START_BYTES)):
            return "a text page, no weights"
    if expected.size_bytes not in (None, size):
        return f"{size} bytes instead of {expected.size_bytes}"
    if size > expected.most_bytes:
        return f"{megabytes(size)}, at most {megabytes(expected.most_bytes)} were expected"
    sums: tuple[tuple[Literal["sha256", "md5"], str | None], ...] = (
        ("sha256", expected.sha256),
        ("md5", expected.md5_start),
    )
    for name, wanted in sums:
        if wanted is not None and not (found := checksum(path, name)).startswith(wanted):
            return f"{name} {found[:12]}... instead of {wanted[:12]}..."
    return None


def checksum(path: Path, name: Literal["sha256", "md5"]) -> str:
    """The sum in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()


def is_page(start: bytes) -> bool:
    """Whether a file that begins so is a web page, an error message, or a pointer in place of a file."""
    return start.lstrip().lower().startswith(_PAGE_STARTS)


def megabytes(count: int) -> str:
    """A size as people read it."""
    return f"{count / 1e6:.1f} MB"
