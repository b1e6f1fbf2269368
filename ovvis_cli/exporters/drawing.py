"""Drawing of instances on frames: translucent fill, anti-aliased contour, and a tag with the label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from ovvis_cli.exporters.colors import Rgb, text_color, track_color
from ovvis_cli.exporters.lettering import Lettering
from ovvis_cli.rle import encode_masks, rle_box

_FILL_OPACITY: Final = 0.45
_MIN_TEXT_PX: Final = 11
_MAX_TEXT_PX: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnInstance:
    """An instance to draw; its color follows from the track id."""

    track_id: int
    caption: str
    mask: Bool[np.ndarray, "H0 W0"]
    box_xywh: tuple[int, int, int, int]  # tight box of the mask [px]


def boxed(mask: Bool[np.ndarray, "H0 W0"], *, track_id: int, caption: str) -> DrawnInstance:
    """Return an instance with the box of its mask."""
    (rle,) = encode_masks(mask[None])
    return DrawnInstance(track_id=track_id, caption=caption, mask=mask, box_xywh=rle_box(rle))


class Painter:
    """Drawing of instances on frames of one size; text and lines scale with it. Not thread-safe."""

    def __init__(self, *, frame_hw: tuple[int, int]) -> None:
        """Load the built-in font."""
        short_side_px = min(frame_hw)
        self._frame_hw = frame_hw
        self._text_px = int(np.clip(round(short_side_px / 34), _MIN_TEXT_PX, _MAX_TEXT_PX))
        self._line_px = max(1, round(short_side_px / 360))
        self._lettering = Lettering()

    def warn_of_missing_letters(self, captions: Iterable[str]) -> None:
        """Warn once of all letters that no font has, instead of once per caption."""
        self._lettering.warn_of_missing(captions)

    def draw(
        self, image: UInt8[np.ndarray, "H0 W0 3"], instances: Sequence[DrawnInstance]
    ) -> UInt8[np.ndarray, "H0 W0 3"]:
        """Return a copy of the RGB image with the instances: small over large ones, tags on top."""
        canvas = image.copy()
        large_first = sorted(instances, key=lambda instance: -instance.box_xywh[2] * instance.box_xywh[3])
        for instance in large_first:
            self._fill(canvas, instance)
        for instance in large_first:
            self._outline(canvas, instance)
        placed: list[_Rect] = []
        for instance in sorted(instances, key=lambda instance: instance.track_id):
            placed.append(self._tag(canvas, instance, placed=placed))
        return canvas

    def _fill(self, canvas: np.ndarray, instance: DrawnInstance) -> None:
        x, y, width, height = instance.box_xywh
        region = canvas[y : y + height, x : x + width]
        tinted = cv2.LUT(region, _tint_table(track_color(instance.track_id)))
        cv2.copyTo(tinted, _inside(instance), region)

    def _outline(self, canvas: np.ndarray, instance: DrawnInstance) -> None:
        """Draw the contour over a dark line, so that it stays visible on a background of the same color."""
        contours, _ = cv2.findContours(
            _inside(instance), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=instance.box_xywh[:2]
        )
        color = track_color(instance.track_id)
        dark = tuple(round(0.25 * value) for value in color)
        cv2.drawContours(canvas, contours, -1, dark, self._line_px + 2, cv2.LINE_AA)
        cv2.drawContours(canvas, contours, -1, color, self._line_px, cv2.LINE_AA)

    def _tag(self, canvas: np.ndarray, instance: DrawnInstance, *, placed: "Sequence[_Rect]") -> "_Rect":
        text_px, text_width_px = self._fitting_text(instance.caption)
        padding_px = round(0.35 * text_px)
        size_wh = (text_width_px + 2 * padding_px, round(1.45 * text_px))
        rect = self._free_place(instance.box_xywh, size_wh=size_wh, placed=placed)
        color = track_color(instance.track_id)
        _rounded_rectangle(canvas, rect, color=color, radius_px=max(1, round(0.3 * text_px)))
        baseline = (rect.x + padding_px, rect.y + round(1.08 * text_px))
        ink = text_color(color)
        self._lettering.draw(canvas, instance.caption, baseline_xy=baseline, text_px=text_px, color=ink)
        return rect

    def _fitting_text(self, caption: str) -> tuple[int, int]:
        """Return (size, width) [px] of the caption, reduced if the frame is narrower than the text."""
        width_px = self._lettering.width_px(caption, text_px=self._text_px)
        room_px = self._frame_hw[1] - self._text_px
        if width_px <= room_px or room_px <= 0:
            return self._text_px, width_px
        text_px = max(6, self._text_px * room_px // width_px)
        return text_px, self._lettering.width_px(caption, text_px=text_px)

    def _free_place(
        self, box_xywh: tuple[int, int, int, int], *, size_wh: tuple[int, int], placed: "Sequence[_Rect]"
    ) -> "_Rect":
        """Place a tag above the box, else below or inside it; if possible, clear of other tags."""
        x, y, _, box_height = box_xywh
        width, height = size_wh
        gap = self._line_px + 1
        tops = [y - height - gap, y + box_height + gap, y + gap, y + box_height - height - gap]
        beside_others = [top for rect in placed for top in (rect.y + rect.height, rect.y - height)]
        tops += sorted(beside_others, key=lambda top: abs(top - tops[0]))
        lowest_top = max(0, self._frame_hw[0] - height)
        left = max(0, min(x, self._frame_hw[1] - width))
        inside = [_Rect(left, top, width, height) for top in tops if 0 <= top <= lowest_top]
        free = [rect for rect in inside if not any(rect.overlaps(other) for other in placed)]
        fallback = _Rect(left, max(0, min(tops[0], lowest_top)), width, height)
        return (free or inside or [fallback])[0]


def _inside(instance: DrawnInstance) -> UInt8[np.ndarray, "h w"]:
    """Return the mask in its box, 0 or 1."""
    x, y, width, height = instance.box_xywh
    return np.ascontiguousarray(instance.mask[y : y + height, x : x + width]).view(np.uint8)


@lru_cache(maxsize=64)
def _tint_table(color: Rgb) -> UInt8[np.ndarray, "256 1 3"]:
    """Return the tinted value of every value of each channel."""
    values = np.arange(256)[:, None] * (1 - _FILL_OPACITY) + np.array(color) * _FILL_OPACITY + 0.5
    return values.astype(np.uint8)[:, None]


class _Rect(NamedTuple):
    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: "_Rect") -> bool:
        apart_x = self.x + self.width <= other.x or other.x + other.width <= self.x
        apart_y = self.y + self.height <= other.y or other.y + other.height <= self.y
        return not (apart_x or apart_y)


def _rounded_rectangle(canvas: np.ndarray, rect: _Rect, *, color: Rgb, radius_px: int) -> None:
    left, top, right, bottom = rect.x, rect.y, rect.x + rect.width - 1, rect.y + rect.height - 1
    radius = min(radius_px, rect.width // 2, rect.height // 2)
    cv2.rectangle(canvas, (left + radius, top), (right - radius, bottom), color, cv2.FILLED)
    cv2.rectangle(canvas, (left, top + radius), (right, bottom - radius), color, cv2.FILLED)
    for corner_x in (left + radius, right - radius):
        for corner_y in (top + radius, bottom - radius):
            cv2.circle(canvas, (corner_x, corner_y), radius, color, cv2.FILLED, cv2.LINE_AA)
