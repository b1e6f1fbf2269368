"""Videos composed of photographs: cut-out objects move in front of photographed backgrounds.

They move on paths of the diorama. Masks and identities are exact, as in the diorama, while objects and
backgrounds look as in camera footage.
"""

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Draw, Kind
from ovvis_cli.diorama.look import Look
from ovvis_cli.diorama.scene import Background
from ovvis_cli.diorama.writer import World
from ovvis_cli.errors import UsageError
from ovvis_cli.photographs.frames import cutout_of
from ovvis_cli.photographs.source import Photograph

_MIN_CUTOUT_PX = 64 * 64
_MAX_BORDER_SHARE = 0.02  # of the outline of an object that lies on the edge of its photograph
_MIN_AREA_HW = (96, 160)  # of a background in its photograph
_AREA_SHARES = (1.0, 0.8, 0.65, 0.5, 0.4)  # of the photograph's height
_AREA_ASPECT = 432 / 240
_AREA_STEPS = 5  # positions tried in each direction


def photographed_world(photographs: Sequence[Photograph]) -> World:
    """Return the kinds and backgrounds in photographs whose objects are all labelled.

    Raises:
        UsageError: the photographs have no whole objects, or no area without objects.
    """
    return World(kinds=cutout_kinds(photographs), background=photographed_background(photographs))


def cutout_kinds(photographs: Sequence[Photograph]) -> tuple[Kind, ...]:
    """Return a kind for each name, sorted; each draws a random one of its large objects that are seen whole.

    Raises:
        UsageError: there is no such object.
    """
    whole: dict[str, list[tuple[Photograph, int]]] = defaultdict(list)
    for photograph in photographs:
        for number, (mask, name) in enumerate(zip(photograph.masks(), photograph.names, strict=True)):
            if _is_whole(mask):
                whole[name].append((photograph, number))
    if not whole:
        raise UsageError("no photograph shows a large object that is not cut off by its edge")
    return tuple(Kind(name, (), _drawing(whole[name])) for name in sorted(whole))


def photographed_background(photographs: Sequence[Photograph]) -> Background:
    """Return a function that shows a random area without objects of a random photograph.

    Raises:
        UsageError: there is no such area.
    """
    areas = [(photograph, area) for photograph in photographs if (area := free_area(photograph)) is not None]
    if not areas:
        raise UsageError("no photograph has a large area without objects")

    def background(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
        photograph, area = areas[int(rng.integers(len(areas)))]
        picture = photograph.image()[area]
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        resized = cv2.resize(np.ascontiguousarray(picture), frame_hw[::-1], interpolation=cv2.INTER_CUBIC)
        return np.asarray(resized, dtype=np.uint8)

    return background


def free_area(photograph: Photograph) -> tuple[slice, slice] | None:
    """Return rows and columns of the largest of some areas that show no labelled object, or None."""
    height, width = photograph.size_hw
    objects = np.zeros(photograph.size_hw, dtype=bool)
    for mask in photograph.masks():
        objects |= mask
    for share in _AREA_SHARES:
        rows = round(share * height)
        columns = min(width, round(rows * _AREA_ASPECT))
        if rows < _MIN_AREA_HW[0] or columns < _MIN_AREA_HW[1]:
            return None
        for top in np.linspace(0, height - rows, _AREA_STEPS).astype(int):
            for left in np.linspace(0, width - columns, _AREA_STEPS).astype(int):
                area = slice(int(top), int(top) + rows), slice(int(left), int(left) + columns)
                if not objects[area].any():
                    return area
    return None


def _is_whole(mask: Bool[np.ndarray, "H W"]) -> bool:
    """Whether an object is large, and its outline hardly lies on the edge of the photograph."""
    if mask.sum() < _MIN_CUTOUT_PX:
        return False
    on_edge = mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum()
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    outline = int(mask.sum()) - int(eroded.sum())
    return bool(on_edge <= _MAX_BORDER_SHARE * max(outline, 1))


def _drawing(objects: Sequence[tuple[Photograph, int]]) -> Draw:
    def draw(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
        photograph, number = objects[int(rng.integers(len(objects)))]
        canvas.paste(cutout_of(photograph, number))

    return draw
