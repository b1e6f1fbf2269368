"""`ovvis relabel` with the real text encoder (of random weights) in place of the trained model."""

import json

import pytest
import torch

from ovvis_cli.commands.relabel import relabel
from ovvis_cli.errors import ModelError, UsageError
from ovvis_cli.exporters.export import ensure_exports
from ovvis_cli.record.reader import Record
from ovvis_models import catalog, loading
from tests.records import MODEL, tokens, write_record


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A record whose tokens are as wide as the model's, and the model under its name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tests.records.tokens", lambda: wide_tokens())
    torch.manual_seed(0)
    spec = catalog.find_spec(MODEL.name)
    model = loading.LoadedModel(spec=spec, network=spec.build().eval(), weights_sha256=MODEL.weights_sha256)
    monkeypatch.setattr(loading, "load", lambda name: model)
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not really")
    return write_record(tmp_path / "out", source=path)


def wide_tokens():
    narrow = torch.from_numpy(tokens())
    width = catalog.find_spec(MODEL.name).clip.embed_dim
    return torch.nn.functional.pad(narrow, (0, width - narrow.shape[1])).numpy()


def test_new_names_and_files(record, capsys):
    record, _ = ensure_exports(record, ["ytvis", "csv"])
    relabel(record.folder, classes="tapir, okapi", no_distractors=True, json=True)
    value = json.loads(capsys.readouterr().out)
    assert set(value["files"]) == {"ytvis", "csv"}
    assert {track["label"] for track in value["tracks"]} <= {"tapir", "okapi"}
    assert len(value["tracks"]) == 3  # nothing to lose against
    header = Record.open(record.folder).header
    assert header.vocabulary.names == ("tapir", "okapi")
    assert len(json.loads((record.folder / "ytvis.json").read_text())) == 3


def test_only_what_is_asked_is_made(record, capsys):
    record, paths = ensure_exports(record, ["ytvis"])
    relabel(record.folder, classes="tapir", no_distractors=True, save="csv", score_threshold=1.0)
    assert not paths["ytvis"].exists()
    header = Record.open(record.folder).header
    assert header.saved == ("csv",)
    assert [track.label for track in header.tracks] == [None] * 3
    assert "not found: tapir" in capsys.readouterr().err


def test_rules_stay_unless_given(record):
    relabel(record.folder, classes="tapir", no_distractors=True, score_threshold=0.25, max_tracks=1)
    relabel(record.folder, classes="okapi", no_distractors=True)
    vocabulary = Record.open(record.folder).header.vocabulary
    assert (vocabulary.score_threshold, vocabulary.max_tracks) == (0.25, 1)


def test_other_weights(record):
    text = (record.folder / "record.json").read_text().replace("abab", "cdcd", 1)
    (record.folder / "record.json").write_text(text)
    with pytest.raises(ModelError, match="other weights of instformer-tiny.*--model"):
        relabel(record.folder, classes="tapir")


def test_words_that_the_model_never_read_are_warned_of(record, caplog):
    relabel(record.folder, classes="zeppelin. warthog., dogs", no_distractors=True)
    (warning,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert "instformer-tiny never read these words in training" in warning
    assert "zeppelin., warthog." in warning
    assert "dogs" not in warning


def test_no_names(record):
    with pytest.raises(UsageError, match="no class names"):
        relabel(record.folder)
