"""`ovvis models` and the vocabulary for OV2Seg and OVFormer."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovvis_cli.app import run
from ovvis_cli.errors import ModelError, VocabularyError
from ovvis_cli.labelling.class_rows import class_rows
from ovvis_cli.model_store.installed import locate
from ovvis_cli.vocabulary.names import parse_classes
from ovvis_models import catalog
from ovvis_models.errors import CorruptWeightsError
from ovvis_models.loading import load
from ovvis_models.text.naming import OpenVocabulary
from ovvis_models.text.vocabulary_scores import each_alone
from ovvis_models.weights import read_metadata, read_tensors
from tests.small_ovformer import built, published_files, small


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
    return SimpleNamespace(naming=naming, spec=SimpleNamespace(name="ov2seg-r50"), class_embeddings=None)


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


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A small ovformer-r50 in the catalog, and its two published files."""
    spec = small("ovformer-r50")
    monkeypatch.setattr(catalog, "CATALOG", {spec.name: spec})
    parts = published_files(spec, built(spec))
    torch.save({"model": parts["ovformer"][1]}, tmp_path / "model.pth")
    save_file(parts["clip"][1], tmp_path / "clip.safetensors")
    np.save(tmp_path / "text.npy", np.eye(2, 16, dtype=np.float32))
    return tmp_path


def imported(files, *options):
    names = [str(files / name) for name in ("model.pth", "clip.safetensors")]
    return run(["models", "import", "ovformer-r50", *names, *map(str, options)])


def test_class_embeddings_are_stored_with_the_weights(home, files, capsys):
    assert imported(files, "--text-embeddings", files / "text.npy", "--classes", "dog,hot dog") == 0
    capsys.readouterr()
    model = load(locate("ovformer-r50"))
    assert model.class_embeddings.names == ("dog", "hot dog")
    assert torch.equal(model.class_embeddings.rows, torch.eye(2, 16))
    rows = class_rows(model, parse_classes("hot_dog"), distractors=False)
    assert torch.equal(rows.embeds, torch.eye(2, 16)[1:])
    assert run(["models", "info", "ovformer-r50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stored_class_embeddings"] == 2


def test_class_embeddings_can_be_added_to_an_installed_file_and_are_kept(home, files):
    assert imported(files) == 0
    installed = files / "copy.safetensors"
    installed.write_bytes(locate("ovformer-r50").read_bytes())
    assert load(installed).class_embeddings is None
    options = ["--text-embeddings", str(files / "text.npy"), "--classes", "a,b"]
    assert run(["models", "import", "ovformer-r50", str(installed), *options]) == 0
    with_embeddings = locate("ovformer-r50").read_bytes()
    assert load(locate("ovformer-r50")).class_embeddings.names == ("a", "b")
    assert read_metadata(locate("ovformer-r50"))["made_of"] == "model.pth, clip.safetensors"
    installed.write_bytes(with_embeddings)
    assert run(["models", "import", "ovformer-r50", str(installed)]) == 0
    assert locate("ovformer-r50").read_bytes() == with_embeddings


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--classes", "a,b"], 2, "class names without embeddings"),
        (["--text-embeddings", "{}/text.npy"], 2, "no class names given"),
        (["--text-embeddings", "{}/text.npy", "--classes", "a"], 3, "shape 2 x 16, expected 1 x 16"),
        (["--text-embeddings", "{}/gone.npy", "--classes", "a,b"], 3, "cannot read text embeddings"),
    ],
)
def test_embeddings_and_names_must_fit(home, files, capsys, options, code, told):
    assert imported(files, *(option.format(files) for option in options)) == code
    assert told in capsys.readouterr().err
    assert not (home / "models").exists()


def test_a_file_whose_class_names_are_damaged_is_refused(home, files):
    assert imported(files, "--text-embeddings", files / "text.npy", "--classes", "a,b") == 0
    path = locate("ovformer-r50")
    metadata = read_metadata(path)
    for names in ('["a"]', "not JSON", "3"):
        save_file(read_tensors(path), path, metadata | {"class_names": names})
        with pytest.raises(CorruptWeightsError, match="import the model again|class names|Expecting"):
            load(path)


def test_a_model_without_weights_says_how_they_are_made(home, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert run(["models", "list"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "ovformer-tiny " in line]
    assert "ovvis train ovformer-tiny" in row
    with pytest.raises(ModelError) as raised:
        locate("ovformer-tiny")
    assert "`ovvis train ovformer-tiny` trains it" in raised.value.hint
