"""What the stages of a training learn from."""

import numpy as np
import pytest
import torch

from ovvis_cli.diorama.kinds import ALL_KINDS, BASE_KINDS
from ovvis_cli.diorama.kinds.nameless import NAMELESS
from ovvis_cli.training import stage_instclip, stage_proposals, stage_rollout
from ovvis_cli.training.clip_towers import windowed_positions
from ovvis_cli.training.recipe import load_recipe
from ovvis_cli.training.stage_clip import (
    NamePrompts,
    clip_stage,
    forget_unseen_tokens,
    reread,
)
from ovvis_models.catalog import CATALOG
from ovvis_models.networks.clip import VIT_TINY_16, build_clip, tokenize
from ovvis_models.networks.mask2former import build_mask2former
from ovvis_models.structures import ImageGeometry
from ovvis_models.text.prompts import PROMPT_TEMPLATES
from ovvis_models.trackers.rollout import RolloutTracker

RECIPE = load_recipe("instformer-tiny")


def test_samples_are_a_function_of_their_number():
    first, again = (
        clip_stage(RECIPE.clip, VIT_TINY_16, device=torch.device("cpu")).draw(700) for _ in range(2)
    )
    assert np.array_equal(first.image, again.image)
    assert first.caption == again.caption
    name = ALL_KINDS[first.kind_index]
    assert any(word in first.caption for word in (name.name, *name.synonyms))


def test_later_stages_never_draw_a_novel_kind():
    kinds = set(stage_proposals.pool(BASE_KINDS, NAMELESS, 0.3))
    assert kinds == {*BASE_KINDS, *NAMELESS}
    assert not any(kind.novel for kind in kinds)


def test_the_pool_has_the_share_of_nameless_shapes_asked_for():
    kinds = stage_proposals.pool(BASE_KINDS, NAMELESS, 0.3)
    assert sum(kind in NAMELESS for kind in kinds) / len(kinds) == pytest.approx(0.3, abs=0.05)


def test_a_window_of_positions_keeps_the_class_row_and_the_range():
    torch.manual_seed(0)
    table = torch.randn(37, 8)
    window = windowed_positions(table)
    assert window.shape == table.shape
    assert torch.equal(window[0], table[0])
    assert window.amax() <= table.amax() + 1e-5
    assert not torch.allclose(window, table)


def test_rereading_keeps_size_and_changes_the_picture():
    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    changed = reread(image, np.random.default_rng(1))
    assert changed.shape == image.shape
    assert not np.array_equal(changed, image)


def test_prompts_name_every_kind_in_its_row():
    torch.manual_seed(0)
    prompts = NamePrompts(ALL_KINDS, context_length=24)
    rows = prompts.draw()
    again = prompts.draw()
    assert rows.shape == (len(ALL_KINDS), 24)
    assert not torch.equal(rows, again)
    possible = {
        tuple(tokenize([template.format(name)], context_length=24)[0].tolist())
        for template in PROMPT_TEMPLATES
        for name in (ALL_KINDS[5].name, *ALL_KINDS[5].synonyms)
    }
    assert tuple(rows[5].tolist()) in possible


def test_frames_of_a_scene_show_the_same_objects_at_other_moments():
    spec = CATALOG["instformer-tiny"]
    stage = stage_proposals.proposal_stage(
        RECIPE.proposals,
        build_mask2former(spec.proposals),
        name="proposals",
        image_input=spec.proposal_input,
        device=torch.device("cpu"),
    )
    samples = [stage.draw(number) for number in (1, 0)]
    assert not np.array_equal(samples[0].image, samples[1].image)
    assert np.array_equal(stage.draw(1).image, samples[0].image)
    batch = stage.collate(samples)
    assert batch.num_objects == tuple(len(sample.radii) for sample in samples)
    targets = stage_proposals.targets_on(torch.device("cpu"), batch)
    for sample, target in zip(samples, targets, strict=True):
        assert np.array_equal(target.masks.numpy(), sample.masks)
        assert np.array_equal(target.centers.numpy(), sample.centers)


def test_tokens_never_seen_lose_their_meaning_and_names_keep_it():
    clip = build_clip(VIT_TINY_16)
    forget_unseen_tokens(clip, VIT_TINY_16)
    norms = clip.token_embedding.weight.norm(dim=1)
    known = tokenize(["a photo of a skateboard"], context_length=24)[0]
    assert (norms[known] > 0).all()
    unknown = tokenize(["quarterback"], context_length=24)[0, 1]
    assert norms[unknown] == 0


def test_centers_are_the_most_interior_points():
    masks = np.zeros((2, 40, 60), bool)
    masks[0, 10:31, 20:41] = True  # a square of 21 pixels; the second object is not seen
    sample = stage_proposals.with_centers(np.zeros((40, 60, 3), np.uint8), masks)
    assert sample.masks.shape == (1, 40, 60)
    assert sample.centers[0].tolist() == [30.0, 20.0]
    assert sample.radii[0] == pytest.approx(11, abs=1)


def test_uncertain_logits_still_mark_their_object():
    mask = np.zeros((80, 120), bool)
    mask[20:60, 30:90] = True
    logits = stage_instclip.uncertain_logits(mask, (30, 20), rng=np.random.default_rng(0), noise=1.0)
    assert logits.shape == (20, 30)
    assert (logits[7:13, 10:20] > 0).all()
    assert (logits[:3] < 0).all()


def test_a_tight_crop_is_filled_by_its_object():
    image = np.zeros((80, 120, 3), np.uint8)
    mask = np.zeros((80, 120), bool)
    mask[20:60, 30:70] = True
    image[mask] = 255
    crop = stage_instclip.tight_crop(image, mask, 48)
    assert crop.shape == (48, 48, 3)
    assert 0.6 < (crop > 127).mean() < 0.9


def test_proposals_of_objects_are_found_by_overlap():
    objects = torch.zeros(1, 2, 32, 32, dtype=torch.bool)
    objects[0, 0, :16, :16] = True
    objects[0, 1, 16:, 16:] = True
    proposals = torch.zeros(1, 3, 8, 8, dtype=torch.bool)
    proposals[0, 2, :4, :4] = True
    proposals[0, 1, 4:, :4] = True
    geometry = ImageGeometry(original_hw=(32, 32), resized_hw=(32, 32), padded_hw=(32, 32))
    chosen, found = stage_rollout.proposals_of_objects(proposals, geometry, objects)
    assert found.tolist() == [[True, False]]
    assert chosen[0, 0] == 2


def test_the_rollout_learns_which_object_is_which():
    torch.manual_seed(0)
    tracker = RolloutTracker(8, hidden_dim=16)
    start, drift = torch.randn(6, 8), torch.randn(6, 8)
    tokens = torch.stack([start + frame * drift for frame in range(6)])
    seen = torch.ones(6, 6, dtype=torch.bool)
    seen[3, 2] = False
    optimizer = torch.optim.Adam(tracker.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = stage_rollout.rollout_loss(tracker, tokens, seen, 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_clips_stand_side_by_side_as_one_crowd():
    short = stage_rollout.TokenClip(tokens=torch.ones(2, 1, 4), seen=torch.ones(2, 1, dtype=torch.bool))
    long = stage_rollout.TokenClip(tokens=torch.ones(5, 3, 4), seen=torch.ones(5, 3, dtype=torch.bool))
    tokens, seen = stage_rollout.side_by_side([short, long])
    assert tokens.shape == (5, 4, 4)
    assert seen[:, 0].tolist() == [True, True, False, False, False]


def test_a_random_reading_drops_objects_for_a_while():
    clip = stage_rollout.TokenClip(tokens=torch.ones(10, 4, 4), seen=torch.ones(10, 4, dtype=torch.bool))
    readings = [stage_rollout.random_reading(clip, np.random.default_rng(i), 0.3) for i in range(20)]
    assert any(not reading.seen.all() for reading in readings)
    assert all(reading.seen[0].all() for reading in readings)
