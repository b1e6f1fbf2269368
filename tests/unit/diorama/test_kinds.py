"""Every kind can be drawn at any size, is one piece, and is told apart by its names."""

import cv2
import numpy as np
import pytest

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds import ALL_KINDS, BASE_KINDS, NOVEL_KINDS, kind_by_name
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.kinds.nameless import NAMELESS
from ovvis_cli.diorama.look import NAMED_COLORS, PATTERNS, Paint, random_look

EVERY_KIND = (*ALL_KINDS, *NAMELESS)
each_kind = pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.name)


def draw(kind: Kind, *, seed: int, size_px: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    canvas = Canvas(size_px)
    kind.draw(canvas, random_look(rng), rng)
    return canvas.rgba()


@each_kind
def test_draws_at_every_size(kind: Kind) -> None:
    for size_px in (32, 100, 256):
        picture = draw(kind, seed=3, size_px=size_px)
        assert picture.shape == (size_px, size_px, 4)
        assert picture.dtype == np.uint8
        assert picture[..., 3].max() == 255


@each_kind
def test_seed_decides_the_picture(kind: Kind) -> None:
    first, again, other = (draw(kind, seed=seed, size_px=48) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[..., 3], other[..., 3]), "the proportions do not change with the seed"


@each_kind
def test_is_one_piece_that_fills_the_canvas(kind: Kind) -> None:
    for seed in range(20):
        alpha = (draw(kind, seed=seed, size_px=64)[..., 3] > 127).astype(np.uint8)
        assert 0.05 <= alpha.mean() <= 0.9, f"seed {seed}"
        _, _, stats, _ = cv2.connectedComponentsWithStats(alpha)
        areas = stats[1:, cv2.CC_STAT_AREA]
        assert areas.max() >= 0.99 * areas.sum(), f"seed {seed}: pieces of {sorted(areas)} pixels"
        rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) >= 0.4 * 64, f"seed {seed}: too small"


def test_no_two_kinds_share_a_name_or_synonym() -> None:
    names = [name for kind in EVERY_KIND for name in (kind.name, *kind.synonyms)]
    assert len(set(names)) == len(names), sorted(name for name in set(names) if names.count(name) > 1)
    assert all(name == name.strip().lower() for name in names)


def test_every_named_kind_has_one_to_three_synonyms() -> None:
    assert all(1 <= len(kind.synonyms) <= 3 for kind in ALL_KINDS)


def test_a_third_of_sixty_or_more_kinds_is_novel() -> None:
    assert len(ALL_KINDS) >= 60
    assert {*BASE_KINDS, *NOVEL_KINDS} == set(ALL_KINDS)
    assert not set(BASE_KINDS) & set(NOVEL_KINDS)
    assert 0.3 <= len(NOVEL_KINDS) / len(ALL_KINDS) <= 0.37


def test_kind_by_name_knows_names_only() -> None:
    assert kind_by_name("dog").synonyms
    with pytest.raises(KeyError, match="puppy"):
        kind_by_name("puppy")


def test_looks_use_every_color_and_pattern_and_their_parts_contrast() -> None:
    rng = np.random.default_rng(0)
    looks = [random_look(rng) for _ in range(400)]
    assert {look.color_name for look in looks} == set(NAMED_COLORS)
    assert {look.pattern_name for look in looks} == set(PATTERNS)
    for look in looks:
        assert look.pattern_name == look.body.pattern
        for other in (look.body.color2, look.accent.color):
            assert np.linalg.norm(np.subtract(look.body.color, other)) > 60


@pytest.mark.parametrize("pattern", [pattern for pattern in PATTERNS if pattern != "plain"])
def test_pattern_shows_both_colors_inside_the_shape_only(pattern: str) -> None:
    canvas = Canvas(64)
    canvas.ellipse((0.5, 0.5), (0.4, 0.3), Paint((255, 0, 0), pattern=pattern, color2=(0, 0, 255)))
    picture = canvas.rgba()
    solid = picture[picture[..., 3] == 255]
    for channel in (0, 2):
        assert 0.2 < (solid[:, channel] > 200).mean() < 0.8
    assert picture[..., 3].mean() / 255 == pytest.approx(np.pi * 0.4 * 0.3, rel=0.04)
    assert not picture[:8].any()


def test_erasing_makes_a_hole_and_edges_keep_their_color() -> None:
    canvas = Canvas(64)
    canvas.polygon([(0.1, 0.1), (0.9, 0.1), (0.5, 0.9)], (200, 100, 50))
    canvas.erase_ellipse((0.5, 0.35), (0.1, 0.1))
    picture = canvas.rgba()
    assert picture[22, 32, 3] == 0
    soft = picture[(picture[..., 3] > 60) & (picture[..., 3] < 255)]
    assert len(soft) > 20
    assert np.abs(soft[:, :3].astype(int) - (200, 100, 50)).max() <= 4
