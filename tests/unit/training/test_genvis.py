"""Training of GenVIS: pseudo-video, stored videos, windows, and what the networks start from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ovvis_cli.training.genvis import start_windows
from ovvis_cli.training.pseudo_video import MAX_ANGLE_DEG, motion, pseudo_video
from ovvis_cli.training.recipe import Schedule, load_recipe
from ovvis_cli.training.stage_windows import (
    WindowTraining,
    random_windows,
    stacked,
    video_losses,
    window_stage,
)
from ovvis_cli.training.stored_videos import NO_OBJECT, StoredVideo, render_video, stored_video
from ovvis_models.catalog import CATALOG
from ovvis_models.decoders.prototype_memory import PrototypeMemory

RECIPE = load_recipe("genvis-tiny").windows
SMALL = replace(RECIPE, frame_hw=(64, 96), video_frames=4, windows=3, num_places=20)
OBJECTS, FRAMES, WIDTH = 2, 6, 96


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    spec = CATALOG["genvis-tiny"]
    built = spec.compose(clip=None).eval()
    start_windows(built)
    return built


def striped():
    """An image with one object, a square left of the middle."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)
    masks = np.zeros((1, 60, 90), dtype=bool)
    masks[0, 25:35, 30:40] = True
    return image, masks


def test_a_pseudo_video_moves_image_and_masks_alike():
    image, masks = striped()
    image[:] = 0
    image[masks[0]] = 255
    video = pseudo_video(image, masks, np.random.default_rng(3), num_frames=5)
    assert video.frames.shape == (5, 60, 90, 3)
    assert video.masks.shape == (5, 1, 60, 90)
    for frame, mask in zip(video.frames, video.masks[:, 0], strict=True):
        differing = (frame[..., 0] > 127) != mask
        assert differing.sum() <= 0.2 * mask.sum()  # the border, which is resampled
    assert not np.array_equal(video.masks[0], video.masks[-1])


def test_its_motion_goes_one_way():
    directions = set()
    for seed in range(8):
        matrices = motion(np.random.default_rng(seed), num_frames=6, hw=(60, 90))
        turns = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 1, 1]))
        steps = np.diff(turns)
        assert (steps >= -1e-9).all() or (steps <= 1e-9).all()
        assert np.abs(turns).max() <= MAX_ANGLE_DEG + 1e-6
        directions.add(steps.sum() > 0)
    assert directions == {True, False}


def test_a_pseudo_video_is_a_function_of_its_generator_and_needs_a_frame():
    image, masks = striped()
    first, again = (pseudo_video(image, masks, np.random.default_rng(5), num_frames=2) for _ in range(2))
    assert np.array_equal(first.frames, again.frames)
    with pytest.raises(ValueError, match="at least one frame"):
        pseudo_video(image, masks, np.random.default_rng(5), num_frames=0)


def test_the_share_of_pseudo_videos_follows_the_recipe():
    still = replace(SMALL, pseudo_share=1.0)
    video = render_video(still, 0)
    assert video.frames.shape == (4, 64, 96, 3)
    assert video.masks.shape[0] == 4
    again = render_video(still, 0)
    assert np.array_equal(video.frames, again.frames)
    assert not np.array_equal(video.frames, render_video(replace(SMALL, pseudo_share=0.0), 0).frames)


def test_a_stored_video_knows_which_query_shows_which_object(network):
    spec = CATALOG["genvis-tiny"]
    wanted = replace(spec.proposal_input, short_side=64)
    video = render_video(SMALL, 1)
    stored = stored_video(video, network.proposals, image_input=wanted, device=torch.device("cpu"))
    count = video.masks.shape[1]
    assert stored.frame_queries.shape == (4, 32, WIDTH)
    assert stored.maps.shape == (4, WIDTH, 8, 12)
    assert stored.masks.shape == (4, count, 8, 12)
    assert torch.equal(stored.visible, torch.from_numpy(video.masks.any(axis=(2, 3))))
    assert set(stored.object_of_query.unique().tolist()) <= {NO_OBJECT, *range(count)}


def film(seed=0):
    """A stored video of two objects, of which the second is only there in the later half."""
    generator = torch.Generator().manual_seed(seed)
    visible = torch.ones(FRAMES, OBJECTS, dtype=torch.bool)
    visible[: FRAMES // 2, 1] = False
    masks = torch.zeros(FRAMES, OBJECTS, 4, 6)
    masks[:, 0, :2], masks[FRAMES // 2 :, 1, 2:] = 1.0, 1.0
    owners = torch.full((FRAMES, 32), NO_OBJECT)
    owners[:, 0] = 0
    return StoredVideo(
        frame_queries=torch.randn(FRAMES, 32, WIDTH, generator=generator).half(),
        maps=torch.randn(FRAMES, WIDTH, 4, 6, generator=generator).half(),
        masks=masks.half(),
        visible=visible,
        object_of_query=owners,
    )


@pytest.mark.parametrize("window", [1, 3])
def test_windows_hold_what_their_frames_hold(window):
    sample = random_windows(film(), np.random.default_rng(1), settings=SMALL, window=window)
    assert sample.frame_queries.shape == (3, window, 32, WIDTH)
    assert sample.maps.shape == (3, 20, WIDTH)
    assert sample.masks.shape == (3, 6, 20)
    assert not sample.visible[:, OBJECTS:].any()
    assert torch.equal(sample.masks[:, 1].any(dim=1), sample.visible[:, 1])


def test_frames_come_in_order_or_in_reverse():
    video = film()
    numbered = replace(video, object_of_query=torch.arange(FRAMES)[:, None].expand(-1, 32))
    seen = set()
    for seed in range(20):
        sample = random_windows(numbered, np.random.default_rng(seed), settings=SMALL, window=1)
        steps = sample.object_of_query[:, 0, 0].diff()
        assert (steps >= 0).all() or (steps <= 0).all()
        seen.add(int(steps.sum().sign()))
    assert {1, -1} <= seen


@pytest.mark.parametrize("unified", [True, False])
def test_a_step_of_training_reaches_all_trained_parts(network, unified):
    settings = replace(SMALL, unified_assignment=unified)
    training = WindowTraining(network)
    samples = [
        random_windows(film(seed), np.random.default_rng(seed), settings=settings, window=1)
        for seed in (0, 1)
    ]
    losses = video_losses(training, stacked(samples), settings=settings)
    assert losses.keys() == {"classes", "mask_bce", "dice", "similarity"}
    sum(losses.values()).backward()
    silent = {name for name, value in training.named_parameters() if value.grad is None}
    assert not silent
    moved = {name for name, value in training.named_parameters() if float(value.grad.abs().max()) > 0}
    assert {"window_decoder.query_feat.weight", "window_decoder.memory_value.weight"} <= moved
    training.zero_grad()


def test_training_lowers_its_losses(network):
    schedule = Schedule(
        steps=12,
        batch_size=2,
        learning_rate=1e-3,
        warmup_steps=1,
        weight_decay=0.0,
        gradient_norm=1.0,
        average_decay=0.9,
        seed=1,
        workers=0,
    )
    stage = window_stage(
        replace(SMALL, schedule=schedule),
        [film()],
        network=WindowTraining(network),
        window=1,
        device=torch.device("cpu"),
    )
    optimizer = torch.optim.AdamW(stage.model.parameters(), lr=1e-3)
    totals = []
    for step in range(schedule.steps):
        losses = sum(stage.losses(stage.collate([stage.draw(2 * step), stage.draw(2 * step + 1)])).values())
        optimizer.zero_grad()
        losses.backward()
        optimizer.step()
        totals.append(float(losses.detach()))
    assert np.mean(totals[-3:]) < 0.8 * np.mean(totals[:3])


def test_untrained_queries_follow_what_is_like_them_and_have_the_masks_of_the_proposal_network():
    torch.manual_seed(0)
    built = CATALOG["genvis-tiny"].compose(clip=None).eval()
    start_windows(built)
    decoder, frame = built.window_decoder, built.proposals.query_decoder
    tokens = frame.norm(torch.randn(1, 1, 32, WIDTH))
    queries = tokens[:, 0, :24].clone()
    memory = PrototypeMemory.empty(queries)
    assert torch.equal(decoder.with_memory(queries, memory), queries)
    with torch.no_grad():
        heads = decoder.heads(decoder(queries, tokens)[-1])
        alike = torch.nn.functional.cosine_similarity(
            heads.prototypes[0, :, None], tokens[0, 0, None], dim=-1
        )
        masks = frame.mask_embed(tokens[0, 0, :24])
    assert alike.argmax(dim=1).tolist() == list(range(24))
    assert float(torch.nn.functional.cosine_similarity(heads.mask_embeds[0], masks, dim=-1).mean()) > 0.7
