"""Recipes are read strictly."""

from importlib import resources

import pytest

from ovvis_cli.errors import RecipeError
from ovvis_cli.training.instformer import at_scale
from ovvis_cli.training.recipe import (
    GenVISRecipe,
    OVFormerRecipe,
    Scale,
    WordClipVisRecipe,
    load_recipe,
    parse_recipe,
)

FIRST_STAGES = {WordClipVisRecipe: "photographs", OVFormerRecipe: "alignment", GenVISRecipe: "windows"}
TEXT = (resources.files("ovvis_cli.recipes") / "instformer_tiny.toml").read_text(encoding="utf-8")


def test_every_packaged_recipe_loads():
    names = [
        entry.name for entry in resources.files("ovvis_cli.recipes").iterdir() if entry.name.endswith(".toml")
    ]
    assert names
    for name in names:
        recipe = load_recipe(name.removesuffix(".toml").replace("_", "-"))
        stage = FIRST_STAGES.get(type(recipe), "clip")
        assert getattr(recipe, stage).schedule.steps > 0


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(RecipeError, match="instformer-tiny"):
        load_recipe("instformer-huge")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("image_px = 96", "image_px = 96\nimage_pixels = 96", "unknown key 'image_pixels' in \\[clip\\]"),
        ("image_px = 96\n", "", "\\[clip\\] lacks 'image_px'"),
        ("image_px = 96", 'image_px = "large"', "image_px: expected int, found 'large'"),
        ("[clip.schedule]", "[clip.timetable]", "'schedule' is missing"),
        ("[clip]", "[clip", "test.toml"),
    ],
)
def test_a_wrong_key_is_named(old, new, told):
    assert old in TEXT
    with pytest.raises(RecipeError, match=told):
        parse_recipe(TEXT.replace(old, new, 1), where="test.toml")


def test_a_budget_scales_every_stage():
    recipe = parse_recipe(TEXT, where="test.toml")
    double = at_scale(recipe, Scale(budget=2.0))
    for stage in ("clip", "proposals", "instclip", "rollout"):
        assert getattr(double, stage).schedule.steps == 2 * getattr(recipe, stage).schedule.steps
    assert double.rollout.num_clips == 2 * recipe.rollout.num_clips


def test_larger_batches_see_as_many_samples_in_fewer_steps():
    recipe = parse_recipe(TEXT, where="test.toml")
    large = at_scale(recipe, Scale(batch=4, workers=3))
    for stage in ("clip", "proposals", "instclip", "rollout"):
        before, after = getattr(recipe, stage).schedule, getattr(large, stage).schedule
        assert after.steps * after.batch_size == pytest.approx(before.steps * before.batch_size, rel=0.01)
        assert after.batch_size == 4 * before.batch_size
        assert after.learning_rate == 2 * before.learning_rate
        assert after.workers == 3
    assert large.rollout.num_clips == recipe.rollout.num_clips
