"""Fonts of this machine, for letters that the built-in font lacks. Pillow shapes, orders and draws the text.

Devanagari, Thai, Arabic and many other scripts need more than a sequence of letters: marks move, letters
join, lines run right to left. Pillow supports this with libraqm, which its wheels for Linux and macOS
include.
"""

import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont, features

FONTS_VARIABLE: Final = "OVVIS_FONTS"

_SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc"})
_PROBE_PX: Final = 32
_BITMAP_PX: Final = (109, 136, 128, 160, 96, 64)  # sizes of bitmap fonts, such as color emoji
_NOT_A_CHARACTER: Final = "\uffff"
_UNUSUAL: Final = (
    "bold",
    "italic",
    "oblique",
    "mono",
    "serif",
    "condensed",
    "light",
    "thin",
    "black",
    "math",
)


@dataclass(frozen=True, slots=True)
class SystemFont:
    """A font file, found by `font_for`."""

    path: Path

    def width_px(self, text: str, *, text_px: int) -> int:
        """Return the width of a text at that size."""
        font, scale = _sized(self.path, text_px)
        return round(font.getlength(text) * scale)

    def picture(
        self, text: str, *, text_px: int, color: tuple[int, int, int]
    ) -> tuple[UInt8[np.ndarray, "H W 4"], int]:
        """Render the text as RGBA, and return also the rows from the top of the picture to the base line."""
        font, scale = _sized(self.path, text_px)
        left, top, right, bottom = (round(value) for value in font.getbbox(text, anchor="ls"))
        size = (max(1, right - min(left, 0)), max(1, bottom - top))
        image = Image.new("RGBA", size, (*color, 0))
        draw = ImageDraw.Draw(image)
        draw.text(
            (-min(left, 0), -top), text, font=font, fill=(*color, 255), anchor="ls", embedded_color=True
        )
        if scale != 1.0:
            smaller = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
            image = image.resize(smaller, Image.Resampling.BOX)
        return np.asarray(image), round(-top * scale)


@cache
def font_for(cluster: str) -> SystemFont | None:
    """Return the first font with all signs of a cluster (a letter with its marks), or None."""
    if _needs_shaping(cluster) and not features.check("raqm"):
        return None
    return next((SystemFont(path) for path in _font_files() if _covers(path, cluster)), None)


@cache
def _font_files() -> tuple[Path, ...]:
    """Return the machine's fonts: color emoji first, then upright sans-serif of regular weight."""
    files = {path for folder in _folders() for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES}
    return tuple(sorted(files, key=_preference))


def _folders() -> Iterator[Path]:
    home = Path.home()
    chosen = os.environ.get(FONTS_VARIABLE)
    if chosen:
        yield Path(chosen).expanduser()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"
        yield home / "AppData" / "Local" / "Microsoft" / "Windows" / "Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts")
    else:
        yield from (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
        yield from (home / ".local" / "share" / "fonts", home / ".fonts")


def _preference(path: Path) -> tuple[int, int, str]:
    name = path.stem.lower().replace("sansserif", "sans")
    family = 0 if "emoji" in name else 1 if "sans" in name else 2
    return family, sum(word in name for word in _UNUSUAL), str(path)


def _needs_shaping(cluster: str) -> bool:
    """Return whether letters of this script change with their neighbors, have marks, or run right to left."""
    return len(cluster) > 1 or unicodedata.category(cluster) in {"Lo", "Mn", "Mc"}


def _covers(path: Path, cluster: str) -> bool:
    signs = [sign for sign in cluster if unicodedata.category(sign) not in {"Cf", "Zs"} and sign != "\ufe0f"]
    try:
        font, _ = _opened(path, _PROBE_PX)  # not kept open: there may be thousands
        missing = _ink(font, _NOT_A_CHARACTER)
        return all(_ink(font, sign) not in {missing, b""} for sign in signs)
    except (OSError, ValueError):  # not a font, or a damaged one
        return False


def _ink(font: ImageFont.FreeTypeFont, sign: str) -> bytes:
    """Return the pixels of a sign; empty if nothing is drawn."""
    mask = font.getmask(sign)
    return bytes(mask) if mask.getbbox() else b""


@lru_cache(maxsize=64)
def _sized(path: Path, text_px: int) -> tuple[ImageFont.FreeTypeFont, float]:
    return _opened(path, text_px)


def _opened(path: Path, text_px: int) -> tuple[ImageFont.FreeTypeFont, float]:
    """Open a font at a size, with the factor to scale its output. Raises OSError if it is not a font."""
    try:
        return ImageFont.truetype(path, text_px), 1.0
    except OSError:
        for size_px in _BITMAP_PX:
            try:
                return ImageFont.truetype(path, size_px), text_px / size_px
            except OSError:
                continue
        raise
