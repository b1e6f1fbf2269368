"""Clips and single pictures: exact masks, steady motion, seeds, captions."""

import numpy as np
import pytest

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.compositing import placement, premultiplied, warp
from ovvis_cli.diorama.cutout import describe, draw_cutout, with_article
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import Look, random_look
from ovvis_cli.diorama.motion import camera_motion, catmull_rom, object_motion, spread_starts
from ovvis_cli.diorama.scene import MIN_VISIBLE_PX, draw_cast, film, render_clip
from ovvis_cli.diorama.single import render_single
from ovvis_cli.diorama.textures import TEXTURES

FRAME_HW = (96, 160)


def _draw_disc(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    canvas.ellipse((0.5, 0.5), (0.45, 0.3), look.body)


def _draw_magenta(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    canvas.ellipse((0.5, 0.5), (0.45, 0.45), (255, 0, 255))


def _draw_green(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    canvas.ellipse((0.5, 0.5), (0.45, 0.45), (0, 255, 0))


def _draw_nothing(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """An empty canvas."""


DISC = Kind("disc", ("plate",), _draw_disc)
OTHER = Kind("other", (), _draw_disc)
MAGENTA = Kind("magenta", (), _draw_magenta)
GREEN = Kind("green", (), _draw_green)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_clip_has_the_documented_shapes() -> None:
    clip = render_clip(_rng(), kinds=[DISC, OTHER], num_frames=3, frame_hw=FRAME_HW, num_objects=4)
    assert clip.frames.shape == (3, *FRAME_HW, 3) and clip.frames.dtype == np.uint8
    assert clip.masks.shape == (3, 4, *FRAME_HW) and clip.masks.dtype == bool
    assert len(clip.kinds) == len(clip.captions) == 4


@pytest.mark.parametrize("seed", range(8))
def test_masks_do_not_overlap_and_are_no_specks(seed: int) -> None:
    clip = render_clip(_rng(seed), kinds=[DISC], num_frames=4, frame_hw=FRAME_HW, num_objects=6, stride=6)
    assert clip.masks.sum(axis=1).max() <= 1
    areas = clip.masks.sum(axis=(2, 3))
    assert ((areas == 0) | (areas >= MIN_VISIBLE_PX)).all()
    assert areas.any()


def test_masks_are_where_the_picture_shows_each_object() -> None:
    """Magenta and green discs: inside its mask, each object shows its own colour, never the other's."""
    touching = 0
    for seed in range(8):
        cast = [MAGENTA, GREEN, MAGENTA, GREEN]
        clip = film(_rng(seed), cast=cast, frame_hw=FRAME_HW, frame_indices=range(6, 30, 8))
        greener = clip.frames[..., 1].astype(int) - clip.frames[..., 0]
        for step, masks in enumerate(clip.masks):
            for n in range(len(cast)):
                core = ~_grown(~masks[n], by=4)  # edges are blurred by motion
                shown = greener[step][core]
                own = shown > 60 if n % 2 else shown < -60
                assert own.sum() >= 0.97 * core.sum()
            touching += (_grown(masks[::2].any(axis=0), by=1) & masks[1::2].any(axis=0)).any()
    assert touching > 5


def test_no_object_shows_outside_the_masks() -> None:
    """The share of magenta pixels away from all masks is small (backgrounds may be magenta)."""
    shares = []
    for seed in range(9):
        clip = film(_rng(seed), cast=[MAGENTA] * 3, frame_hw=FRAME_HW, frame_indices=range(12, 13))
        away = ~_grown(clip.masks[0].any(axis=0), by=4)
        red, green, blue = (clip.frames[0, ..., channel].astype(int) for channel in range(3))
        shares.append(np.mean(((red - green > 120) & (blue - green > 120))[away]))
    assert np.median(shares) < 0.002


def test_motion_does_not_depend_on_the_number_of_frames() -> None:
    cast = [DISC, OTHER]
    short = film(_rng(3), cast=cast, frame_hw=FRAME_HW, frame_indices=range(2))
    long = film(_rng(3), cast=cast, frame_hw=FRAME_HW, frame_indices=range(30))
    late = film(_rng(3), cast=cast, frame_hw=FRAME_HW, frame_indices=range(20, 30, 5))
    assert short.captions == long.captions
    for some, same in ((short.masks, long.masks[:2]), (late.masks, long.masks[20:30:5])):
        union, common = (some | same).sum(), (some & same).sum()
        assert common > 0.93 * union  # cut-outs are drawn at other sizes, so edges may differ by a pixel


def test_same_seed_same_clip_other_seed_other_clip() -> None:
    first, again, other = (
        render_clip(_rng(seed), kinds=[DISC], num_frames=2, frame_hw=FRAME_HW) for seed in (5, 5, 6)
    )
    assert np.array_equal(first.frames, again.frames) and np.array_equal(first.masks, again.masks)
    assert not np.array_equal(first.frames, other.frames)


def test_objects_move_and_some_leave_and_come_back() -> None:
    came_back = 0
    travelled = []
    for seed in range(40):
        clip = film(_rng(seed), cast=[DISC], frame_hw=(48, 80), frame_indices=range(0, 40, 2))
        seen = clip.masks[:, 0].sum(axis=(1, 2)) > 0
        gaps = np.flatnonzero(np.diff(seen.astype(int)))
        came_back += bool(seen[0] and len(gaps) >= 2)
        if seen[0] and seen[12]:
            start, end = (np.argwhere(clip.masks[step, 0]).mean(axis=0) for step in (0, 12))
            travelled.append(np.linalg.norm((end - start) / 80))
    assert came_back >= 2
    assert 0.1 < np.median(travelled) < 0.6


def test_sizes_are_within_bounds() -> None:
    for seed in range(30):
        clip = film(_rng(seed), cast=[DISC], frame_hw=(100, 160), frame_indices=range(1))
        pixels = np.argwhere(clip.masks[0, 0])
        if len(pixels):
            longest = np.ptp(pixels, axis=0).max() + 1
            assert longest <= 0.6 * 1.5**0.5 * 1.02 * 100 + 3


def test_single_shows_most_of_its_object() -> None:
    for seed in range(10):
        image, kind, caption = render_single(_rng(seed), kinds=[DISC], size_px=64)
        assert image.shape == (64, 64, 3) and image.dtype == np.uint8
        assert kind is DISC and ("disc" in caption or "plate" in caption)


def test_plain_single_has_one_colour_at_its_border() -> None:
    for seed in range(5):
        image, _, _ = render_single(_rng(seed), kinds=[DISC], size_px=64, plain=True)
        corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert np.unique(corners, axis=0, return_counts=True)[1].max() >= 3  # the object may run over one


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("dog", "a dog"),
        ("owl", "an owl"),
        ("umbrella", "an umbrella"),
        ("unicycle", "a unicycle"),
        ("hourglass", "an hourglass"),
        ("red owl", "a red owl"),
        ("orange cup", "an orange cup"),
        ("white scissors", "white scissors"),
        ("white pair of scissors", "a white pair of scissors"),
    ],
)
def test_articles(phrase: str, expected: str) -> None:
    assert with_article(phrase) == expected


def test_captions_name_pattern_and_colour_in_order() -> None:
    rng = _rng(1)
    look = random_look(rng)
    captions = {describe(DISC, look, rng) for _ in range(300)}
    words = [look.color_name] if look.pattern_name == "plain" else [look.pattern_name, look.color_name]
    assert with_article(" ".join([*words, "disc"])) in captions
    assert any("plate" in caption for caption in captions)
    assert not any("plain" in caption for caption in captions)


def test_a_kind_that_draws_nothing_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="drew nothing"):
        draw_cutout(Kind("ghost", (), _draw_nothing), _rng(), size_px=32)


def test_nothing_to_film_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs kinds"):
        draw_cast(_rng(), kinds=[], num_objects=2)
    with pytest.raises(ValueError, match="nothing to film"):
        film(_rng(), cast=[DISC], frame_hw=FRAME_HW, frame_indices=range(0))


def test_warp_puts_a_square_where_it_belongs() -> None:
    sprite = premultiplied(np.full((10, 10, 4), 255, dtype=np.uint8))
    matrix = placement(sprite_hw=sprite.shape[:2], center_xy=(29.5, 19.5), scale=2.0, angle_deg=90.0)
    patch = warp(sprite, matrix=matrix, frame_hw=(40, 60))
    assert patch is not None
    covered = np.zeros((40, 60), dtype=bool)
    covered[patch.area] = patch.solid
    rows, columns = np.nonzero(covered)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 20, 39)
    assert covered.sum() >= 20 * 20 - 8  # corners are rounded by interpolation


def test_warp_of_what_lies_outside_is_none() -> None:
    sprite = premultiplied(np.full((10, 10, 4), 255, dtype=np.uint8))
    matrix = placement(sprite_hw=sprite.shape[:2], center_xy=(-50.0, 10.0), scale=1.0, angle_deg=0.0)
    assert warp(sprite, matrix=matrix, frame_hw=(40, 60)) is None


def test_smear_blurs_the_picture_but_not_the_mask() -> None:
    sprite = premultiplied(np.full((10, 10, 4), 255, dtype=np.uint8))
    matrix = placement(sprite_hw=sprite.shape[:2], center_xy=(30.0, 20.0), scale=1.0, angle_deg=0.0)
    sharp = warp(sprite, matrix=matrix, frame_hw=(40, 60))
    blurred = warp(sprite, matrix=matrix, frame_hw=(40, 60), smear_xy=(6.0, 0.0))
    assert sharp is not None and blurred is not None
    assert blurred.solid.sum() == sharp.solid.sum()
    partly = (blurred.rgba[:, :, 3] > 20) & (blurred.rgba[:, :, 3] < 235)
    assert partly.sum() > 40


def test_spline_runs_through_its_knots() -> None:
    knots = _rng().random((8, 2))
    values = catmull_rom(knots, times_s=np.array([0.0, 0.5, 2.0]), spacing_s=0.5)
    assert np.allclose(values, knots[[1, 2, 5]])
    with pytest.raises(ValueError, match="too few"):
        catmull_rom(knots, times_s=np.array([3.0]), spacing_s=0.5)


@pytest.mark.parametrize("seed", range(30))
def test_motion_is_smooth_and_within_limits(seed: int) -> None:
    times_s = np.arange(48) / 12
    motion = object_motion(_rng(seed), start_xy=np.array([0.3, 0.6]), times_s=times_s)
    assert np.linalg.norm(np.diff(motion.xy, axis=0), axis=1).max() < 0.09  # frame sizes a frame
    assert motion.scale.max() / motion.scale.min() < 1.6
    assert np.abs(motion.angle_deg).max() < 45
    camera = camera_motion(_rng(seed), times_s=times_s)
    assert np.allclose(camera.xy[0], 0.0) and camera.zoom[0] == pytest.approx(1.0)
    assert camera.moves or np.allclose(camera.zoom, 1.0)


def test_starts_are_apart() -> None:
    distances = []
    for seed in range(20):
        places = spread_starts(_rng(seed), num=4)
        pairs = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(4, k=1)]
        distances.append(pairs.min())
    assert np.median(distances) > 0.2


@pytest.mark.parametrize("name", sorted(TEXTURES))
def test_textures_are_maps_of_values_with_some_contrast(name: str) -> None:
    values = TEXTURES[name](_rng(2), frame_hw=(40, 64))
    assert values.shape == (40, 64)
    assert np.isfinite(values).all() and values.min() > -0.2 and values.max() < 1.3
    assert values.std() > 0.02


def _grown(mask: np.ndarray, *, by: int) -> np.ndarray:
    grown = mask.copy()
    for _ in range(by):
        grown[1:] |= grown[:-1].copy()
        grown[:-1] |= grown[1:].copy()
        grown[:, 1:] |= grown[:, :-1].copy()
        grown[:, :-1] |= grown[:, 1:].copy()
    return grown
