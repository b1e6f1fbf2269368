"""Text of labels, drawn with the built-in font, with fonts of the system, or as Unicode numbers.

    caption --> clusters (a letter with its marks) --> runs of one font --> pixels

No letter becomes a question mark: letters without a font are written as their Unicode numbers, emoji as their
names, and one warning lists them.
"""

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
from jaxtyping import UInt8

from ovvis_cli.exporters.colors import Rgb
from ovvis_cli.exporters.system_fonts import FONTS_VARIABLE, SystemFont, font_for

logger = logging.getLogger(__name__)

_WEIGHT: Final = 550  # between regular and bold: thin strokes vanish in compressed video
_PROBE_PX: Final = 24
_JOINER, _NON_JOINER, _AS_PICTURE = "\u200d", "\u200c", "\ufe0f"
_MAX_WARNED: Final = 40

_Face: TypeAlias = SystemFont | Literal["built-in", "built-in from the right", "numbers"]


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    font: SystemFont | None  # None: the built-in font


class Lettering:
    """Drawing of captions on pictures. Not thread-safe."""

    def __init__(self) -> None:
        """Load the built-in font, which has Latin, Greek, Cyrillic, Hebrew and CJK letters."""
        self._built_in = cv2.FontFace("sans")
        self._runs: dict[str, tuple[_Run, ...]] = {}
        self._warned: set[str] = set()

    def warn_of_missing(self, captions: Iterable[str]) -> None:
        """Warn once of all letters in the captions that no font has, without repeating earlier warnings."""
        signs = {sign for caption in captions for sign in missing_signs(caption)}
        new = sorted(signs - self._warned)
        if not new:
            return
        self._warned.update(new)
        shown = " ".join(f"{sign} (U+{ord(sign):04X})" for sign in new[:_MAX_WARNED])
        more = f" and {len(new) - _MAX_WARNED} more" if len(new) > _MAX_WARNED else ""
        logger.warning(
            "no installed font has %s%s: labels show their numbers or names in brackets"
            " (install fonts such as Noto, or name a folder of fonts in %s)",
            shown,
            more,
            FONTS_VARIABLE,
        )

    def width_px(self, caption: str, *, text_px: int) -> int:
        """Return the width of a caption at that text size."""
        return sum(self._run_width_px(run, text_px=text_px) for run in self._runs_of(caption))

    def draw(
        self,
        canvas: UInt8[np.ndarray, "H W 3"],
        caption: str,
        *,
        baseline_xy: tuple[int, int],
        text_px: int,
        color: Rgb,
    ) -> None:
        """Draw a caption from the start of its base line, clipped to the canvas."""
        x, y = baseline_xy
        for run in self._runs_of(caption):
            if run.font is None:
                cv2.putText(canvas, run.text, (x, y), color, self._built_in, text_px, _WEIGHT)
            else:
                picture, ascent = run.font.picture(run.text, text_px=text_px, color=color)
                _blend(canvas, picture, left=x, top=y - ascent)
            x += self._run_width_px(run, text_px=text_px)

    def _runs_of(self, caption: str) -> tuple[_Run, ...]:
        if caption not in self._runs:
            self.warn_of_missing([caption])
            self._runs[caption] = _runs(caption)
        return self._runs[caption]

    def _run_width_px(self, run: _Run, *, text_px: int) -> int:
        if run.font is not None:
            return run.font.width_px(run.text, text_px=text_px)
        x, _, width, _ = cv2.getTextSize((0, 0), run.text, (0, 0), self._built_in, text_px, _WEIGHT)
        return int(x + width)


def missing_signs(caption: str) -> list[str]:
    """Return the letters and emoji of a caption that no font has."""
    clusters = _clusters(unicodedata.normalize("NFC", caption))
    return [
        sign
        for cluster in clusters
        if _face(cluster) == "numbers"
        for sign in cluster
        if sign not in {_JOINER, _NON_JOINER, _AS_PICTURE}
    ]


def _runs(caption: str) -> tuple[_Run, ...]:
    clusters = _clusters(unicodedata.normalize("NFC", caption))
    faces = _with_spaces_joined(clusters, [_face(cluster) for cluster in clusters])
    runs: list[_Run] = []
    for face, group in groupby(zip(faces, clusters, strict=True), key=lambda pair: pair[0]):
        own = [cluster for _, cluster in group]
        if isinstance(face, SystemFont):
            runs.append(_Run("".join(own), face))
        elif face == "numbers":
            runs.append(_Run(_described(own), None))
        else:
            runs.append(_Run("".join(own if face == "built-in" else reversed(own)), None))
    return tuple(runs)


def _clusters(text: str) -> list[str]:
    """Split a text into clusters: a letter with its marks, or an emoji sequence."""
    clusters: list[str] = []
    for sign in text:
        if clusters and _continues(clusters[-1], sign):
            clusters[-1] += sign
        else:
            clusters.append(sign)
    return clusters


def _continues(cluster: str, sign: str) -> bool:
    if unicodedata.category(sign) in {"Mn", "Mc", "Me", "Cf"}:
        return not cluster.isspace()
    is_skin_tone, is_flag = 0x1F3FB <= ord(sign) <= 0x1F3FF, 0x1F1E6 <= ord(sign) <= 0x1F1FF
    is_half_flag = len(cluster) == 1 and 0x1F1E6 <= ord(cluster) <= 0x1F1FF
    return cluster[-1] == _JOINER or is_skin_tone or (is_flag and is_half_flag)


@cache
def _face(cluster: str) -> _Face:
    """Choose the font of a cluster. The built-in font neither joins letters nor moves marks."""
    from_right = any(unicodedata.bidirectional(sign) in {"R", "AL"} for sign in cluster)
    built_in = all(_is_built_in(sign) for sign in cluster)
    if built_in and len(cluster) == 1 and not from_right:
        return "built-in"
    font = font_for(cluster)
    if font is not None:
        return font
    if built_in and not any(unicodedata.bidirectional(sign) == "AL" for sign in cluster):
        return "built-in from the right" if from_right else "built-in"
    return "numbers"


@cache
def _is_built_in(sign: str) -> bool:
    """Return whether the built-in font has a sign; it draws a question mark for those it lacks."""
    return sign in " ?" or not np.array_equal(_probe(sign), _probe("?"))


def _probe(sign: str) -> UInt8[np.ndarray, "H W 3"]:
    canvas = np.zeros((2 * _PROBE_PX, 2 * _PROBE_PX, 3), dtype=np.uint8)
    origin = (_PROBE_PX // 2, 3 * _PROBE_PX // 2)
    cv2.putText(canvas, sign, origin, (255, 255, 255), cv2.FontFace("sans"), _PROBE_PX, _WEIGHT)
    return canvas


def _with_spaces_joined(clusters: Sequence[str], faces: Sequence[_Face]) -> list[_Face]:
    """Give spaces between two words of one face that face too, because it orders the words."""
    joined = list(faces)
    last: int | None = None  # the last cluster that is not a space
    for place, cluster in enumerate(clusters):
        if cluster.isspace():
            continue
        if last is not None and faces[last] == faces[place]:
            joined[last + 1 : place] = [faces[place]] * (place - last - 1)
        last = place
    return joined


def _described(clusters: Sequence[str]) -> str:
    """Describe signs that no font has in plain letters: emoji by name, letters by number."""
    words = [_described_sign(sign) for cluster in clusters for sign in cluster if sign != _AS_PICTURE]
    return f"[{' '.join(word for word in words if word)}]"


def _described_sign(sign: str) -> str:
    if sign.isspace():
        return "/"
    if sign == _JOINER:
        return "+"
    if unicodedata.category(sign) in {"So", "Sk"}:
        return unicodedata.name(sign).lower().removeprefix("regional indicator symbol letter ")
    return f"{ord(sign):04X}"


def _blend(
    canvas: UInt8[np.ndarray, "H W 3"], picture: UInt8[np.ndarray, "h w 4"], *, left: int, top: int
) -> None:
    """Blend an RGBA picture onto the canvas, clipped to it."""
    skip_x, skip_y = max(0, -left), max(0, -top)
    height = min(picture.shape[0], canvas.shape[0] - top) - skip_y
    width = min(picture.shape[1], canvas.shape[1] - left) - skip_x
    if height <= 0 or width <= 0:
        return
    part = picture[skip_y : skip_y + height, skip_x : skip_x + width].astype(np.float32)
    region = canvas[top + skip_y : top + skip_y + height, left + skip_x : left + skip_x + width]
    opacity = part[:, :, 3:] / 255
    region[:] = (region * (1 - opacity) + part[:, :, :3] * opacity + 0.5).astype(np.uint8)
