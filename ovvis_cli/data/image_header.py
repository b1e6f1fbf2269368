"""Image size from the file header, so that many frames can be checked without decoding them."""

import struct
from pathlib import Path
from typing import BinaryIO, Final

from ovvis_cli.errors import VideoError

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8"
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, any kind
_BARE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without length


def image_size(path: Path) -> tuple[int, int]:
    """Return height and width [px] of a JPEG or PNG file, as stored.

    Raises:
        VideoError: the file is missing, cut off, or neither JPEG nor PNG.
    """
    try:
        with path.open("rb") as file:
            head = file.read(24)
            if head.startswith(_PNG) and len(head) == 24:
                width, height = struct.unpack(">II", head[16:24])
                return height, width
            if head.startswith(_JPEG):
                file.seek(2)
                return _jpeg_size(file)
    except OSError as error:
        raise VideoError(f"cannot read {path}: {error.strerror}") from error
    except struct.error as error:
        raise VideoError(f"{path} is cut off") from error
    raise VideoError(f"{path} is not a JPEG or PNG image")


def _jpeg_size(file: BinaryIO) -> tuple[int, int]:
    while True:
        (start, marker) = struct.unpack("BB", file.read(2))
        while marker == 0xFF:  # padding
            (marker,) = struct.unpack("B", file.read(1))
        if start != 0xFF:
            raise struct.error("no marker")
        if marker in _BARE_MARKERS:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker in _FRAME_MARKERS:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return height, width
        file.seek(length - 2, 1)
