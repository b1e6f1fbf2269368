"""`ovvis models` and the vocabulary for OV2Seg and OVFormer."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch

from ovvis_cli.app import run
from ovvis_cli.errors import VocabularyError
from ovvis_cli.labelling.class_rows import class_rows
from ovvis_cli.vocabulary.names import parse_classes
from ovvis_models.text.naming import OpenVocabulary
from ovvis_models.text.vocabulary_scores import each_alone


@pytest.mark.parametrize(
    ("name", "told", "short_side"),
    [
        ("ov2seg-r50", "https://github.com/", 480),
        ("ovformer-r50", "https://drive.google.com/", 360),
        ("ovformer-lvvis-swin-b", "https://drive.google.com/", 480),
    ],
)
def test_info_tells_where_and_under_which_licence(home, capsys, name, told, short_side):
    assert run(["models", "info", name, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["published_at"].startswith(told)
    assert value["licence"].startswith("not stated by its authors")
    assert value["short_side_px"] == short_side
    assert value["installed"] is False


def without_text_encoder():
    naming = OpenVocabulary(
        text_encoder=None,
        embed_dim=4,
        domain="web",
        link=each_alone,
        logit_scale=50.0,
        learned_prompts=True,
    )
    return SimpleNamespace(naming=naming, spec=SimpleNamespace(name="ov2seg-r50"))


def test_without_a_text_encoder_embeddings_must_come_from_a_file(caplog):
    model, vocabulary = without_text_encoder(), parse_classes("dog,skateboard")
    with pytest.raises(VocabularyError, match="without a text encoder"):
        class_rows(model, vocabulary, distractors=False)
    with caplog.at_level(logging.WARNING):
        rows = class_rows(model, vocabulary, distractors=True, text_embeddings=2 * torch.eye(4)[:2])
    assert "no distractors" in caplog.text
    assert torch.equal(rows.embeds, torch.eye(4)[:2])
    assert rows.logit_scale == 50.0
    assert torch.equal(rows.link(torch.zeros(1, 2)), torch.full((1, 2), 0.5))
