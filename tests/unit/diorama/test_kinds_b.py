"""The kinds of vehicles, household, tools and leisure: split, margins, main colour, holes, silhouettes.

What holds for every kind alike is tested in `test_kinds.py`.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds import household, leisure, tools, vehicles
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import Look, Paint, random_look

KINDS = (*vehicles.KINDS, *household.KINDS, *tools.KINDS, *leisure.KINDS)
NOVEL = {
    *("truck", "helicopter", "motorcycle", "boat", "lamp", "teapot", "vase"),
    *("chair", "wrench", "ladder", "scissors", "trumpet", "crown", "ball"),
}
SIZE_PX = 96
SEEDS = range(8)
MAGENTA, GREEN = (255, 0, 255), (0, 255, 0)

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def _draw(kind: Kind, seed: int, look: Look | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drawn = random_look(rng)
    canvas = Canvas(SIZE_PX)
    kind.draw(canvas, look or drawn, rng)
    return canvas.rgba()


def _silhouette(kind: Kind, seed: int) -> np.ndarray:
    return _draw(kind, seed)[..., 3] > 127


def test_families_have_their_kinds_and_split() -> None:
    assert [len(family.KINDS) for family in (vehicles, household, tools, leisure)] == [12, 12, 8, 8]
    assert {kind.name for kind in KINDS if kind.novel} == NOVEL


@each_kind
def test_is_one_connected_object_inside_its_margin(kind: Kind) -> None:
    for seed in SEEDS:
        alpha = _draw(kind, seed)[..., 3]
        assert ndimage.label(alpha > 127)[1] == 1, seed
        assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any(), seed
        rows, columns = np.nonzero(alpha > 127)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 0.75 * SIZE_PX, seed


@each_kind
def test_body_paint_is_the_largest_colour(kind: Kind) -> None:
    look = random_look(np.random.default_rng(0))
    look = replace(look, body=Paint(MAGENTA), accent=Paint(GREEN), light=(0, 0, 0), dark=(0, 0, 0))
    for seed in SEEDS:
        red, green, _, alpha = np.moveaxis(_draw(kind, seed, look), -1, 0)
        visible = alpha > 127
        body, accent = ((channel > 127) & visible for channel in (red, green))
        assert body.sum() >= 0.2 * visible.sum(), seed
        assert body.sum() > accent.sum(), seed


@pytest.mark.parametrize(
    ("name", "num_holes"), [("key", 1), ("wrench", 1), ("scissors", 2), ("cup", 1), ("vase", 2), ("saw", 1)]
)
def test_see_through_parts_are_holes(name: str, num_holes: int) -> None:
    kind = next(kind for kind in KINDS if kind.name == name)
    for seed in SEEDS:
        _, num_background_parts = ndimage.label(~_silhouette(kind, seed))
        assert num_background_parts == 1 + num_holes, seed


def test_silhouettes_alone_tell_kinds_apart() -> None:
    """A nearest mean silhouette, without any colour, names at least nine of ten unseen drawings."""
    means = np.stack(
        [np.mean([_silhouette(kind, seed) for seed in range(100, 112)], axis=0) for kind in KINDS]
    )
    means = ndimage.gaussian_filter(means, (0, 2, 2)).reshape(len(KINDS), -1)
    right = 0
    for index, kind in enumerate(KINDS):
        for seed in range(4):
            blurred = ndimage.gaussian_filter(_silhouette(kind, seed).astype(float), 2).ravel()
            right += int(np.argmin(((means - blurred) ** 2).sum(axis=1)) == index)
    assert right >= 0.9 * 4 * len(KINDS)
