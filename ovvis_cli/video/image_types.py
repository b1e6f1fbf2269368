"""Detection of image types by file content, because a suffix may be wrong or missing.

Only headers are read. Animated images are read as videos, still ones as images.
"""

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

ImageType = Literal["still", "video", "animation"]
"""`video` is decoded by FFmpeg (GIF, APNG, AVIF), `animation` by OpenCV (WebP, pages of a TIFF)."""

_STILL_SIGNATURES = (b"BM", b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")  # BMP, JPEG 2000 twice
_JPEG_START, _JPEG_END, _JPEG_SCAN = b"\xff\xd8\xff", b"\xff\xd9", 0xDA
_CHUNK_BYTES = 1 << 20
TIFF_SIGNATURES = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})
_PNM_KINDS = b"123456"
_REDUCED_COPY = 1  # bit of a TIFF page's NewSubfileType: a thumbnail


def image_type(path: Path) -> ImageType | None:
    """Return the image type of a file; None if it is not an image or cannot be read."""
    found = quick_image_type(path)
    if found == "still" and is_motion_jpeg(path):
        return "video"
    return found


def quick_image_type(path: Path) -> ImageType | None:
    """Return what `image_type` does, but "still" for raw Motion JPEG, whose detection reads a whole image."""
    try:
        with path.open("rb") as file:
            return _image_type(file)
    except (OSError, struct.error):
        return None


def _image_type(file: IO[bytes]) -> ImageType | None:
    head = file.read(64)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "video" if _is_animated_png(file) else "still"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        is_animated = head[12:16] == b"VP8X" and head[20] & 2 != 0
        return "animation" if is_animated else "still"
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return "video" if _is_animated_gif(file) else "still"
    if head[:4] in TIFF_SIGNATURES:
        return "animation" if len(tiff_pages(file)) > 1 else "still"
    if head[4:8] == b"ftyp" and head[8:12] in {b"avif", b"avis"}:
        return "video" if head[8:12] == b"avis" else "still"
    is_pnm = head[:1] == b"P" and head[1:2] in _PNM_KINDS and head[2:3].isspace()
    return "still" if is_pnm or head.startswith((_JPEG_START, *_STILL_SIGNATURES)) else None


def is_motion_jpeg(path: Path) -> bool:
    """Return whether a second JPEG image follows the first (raw Motion JPEG, as some cameras write it).

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(3) != _JPEG_START:
            return False
        file.seek(2)
        while len(head := file.read(4)) == 4:
            marker, length = head[1], struct.unpack(">H", head[2:])[0]
            if file.read(4) == b"MPF\0":  # several views of one photo
                return False
            file.seek(length - 6, 1)
            if marker == _JPEG_SCAN:
                return _follows(file, end=_JPEG_END, start=_JPEG_START)
    return False


def _follows(file: IO[bytes], *, end: bytes, start: bytes) -> bool:
    """Return whether the next `end` in the file is followed directly by `start`."""
    data = file.read(_CHUNK_BYTES)
    while (place := data.find(end)) < 0 or place + len(end + start) > len(data):
        more = file.read(_CHUNK_BYTES)
        if not more:
            return False
        data = data[max(0, place if place >= 0 else len(data) - 1) :] + more
    return data.startswith(start, place + len(end))


def _is_animated_png(file: IO[bytes]) -> bool:
    """Return whether an `acTL` chunk with several frames comes before the image data."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", header)
        if name == b"acTL":
            return bool(struct.unpack(">I", file.read(4))[0] > 1)
        if name in {b"IDAT", b"IEND"}:
            break
        file.seek(length + 4, 1)
    return False


def _is_animated_gif(file: IO[bytes]) -> bool:
    """Return whether a second image follows the first."""
    file.seek(10)
    file.seek(2 + _color_table_bytes(file.read(1)), 1)
    num_pictures = 0
    while block := file.read(1):
        if block == b"!":
            file.seek(1, 1)
        elif block == b",":
            num_pictures += 1
            if num_pictures > 1:
                return True
            file.seek(8, 1)
            file.seek(_color_table_bytes(file.read(1)) + 1, 1)
        else:
            break
        while length := file.read(1):
            if length == b"\0":
                break
            file.seek(length[0], 1)
    return False


def _color_table_bytes(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def tiff_pages(file: IO[bytes]) -> list[int]:
    """Return the numbers of the full pages of a TIFF file, without thumbnails.

    If the file is truncated, only the pages before that point are listed.
    """
    pages: list[int] = []
    with contextlib.suppress(struct.error):
        for number, is_thumbnail in enumerate(_tiff_directories(file)):
            if not is_thumbnail:
                pages.append(number)
    return pages or [0]


def _tiff_directories(file: IO[bytes]) -> Iterator[bool]:
    """Yield for every page whether it is a thumbnail."""
    file.seek(0)
    order = "<" if file.read(2) == b"II" else ">"
    is_big = struct.unpack(f"{order}H", file.read(2))[0] == 43
    place, count, entry_bytes = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    file.seek(8 if is_big else 4)
    seen: set[int] = set()  # a damaged file may contain a loop
    offset = _unpack(file, order + place)
    while offset and offset not in seen:
        seen.add(offset)
        file.seek(offset)
        entries = file.read(_unpack(file, order + count) * entry_bytes)
        kinds = [
            struct.unpack_from(f"{order}I", entries, at + entry_bytes - struct.calcsize(place))[0]
            for at in range(0, len(entries), entry_bytes)
            if struct.unpack_from(f"{order}H", entries, at)[0] == 254
        ]
        yield bool(kinds and kinds[0] & _REDUCED_COPY)
        offset = _unpack(file, order + place)


def _unpack(file: IO[bytes], layout: str) -> int:
    return int(struct.unpack(layout, file.read(struct.calcsize(layout)))[0])
