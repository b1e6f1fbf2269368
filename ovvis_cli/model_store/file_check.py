"""Comparison of a file with what its publisher says: size and checksums, as far as they are known."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_PAGE_STARTS: Final = (b"<!doctype", b"<html", b"<?xml", b"version https://git-lfs")
_START_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Known size and checksums of a file; None where unknown."""

    sha256: str | None
    md5_start: str | None
    size_bytes: int | None
    most_bytes: int  # longer files are refused


def fault_of(path: Path, expected: Expected) -> str | None:
    """Return how the file differs from what is expected, in words, or None."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if is_page(file.read(_START_BYTES)):
            return "a text page, not weights"
    if expected.size_bytes not in (None, size):
        return f"{size} bytes, expected {expected.size_bytes}"
    if size > expected.most_bytes:
        return f"{megabytes(size)}, expected at most {megabytes(expected.most_bytes)}"
    sums: tuple[tuple[Literal["sha256", "md5"], str | None], ...] = (
        ("sha256", expected.sha256),
        ("md5", expected.md5_start),
    )
    for name, wanted in sums:
        if wanted is not None and not (found := checksum(path, name)).startswith(wanted):
            return f"{name} {found[:12]}..., expected {wanted[:12]}..."
    return None


def checksum(path: Path, name: Literal["sha256", "md5"]) -> str:
    """Return the checksum in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()


def is_page(start: bytes) -> bool:
    """Return whether a file with this start is a web page, an error message or a pointer file."""
    return start.lstrip().lower().startswith(_PAGE_STARTS)


def megabytes(count: int) -> str:
    """Format a size for people."""
    return f"{count / 1e6:.1f} MB"
