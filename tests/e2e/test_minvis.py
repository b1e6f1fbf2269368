"""MinVIS by the real commands: a file in its authors' layout is imported, run, asked again and evaluated."""

import json
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch

from ovvis_cli.app import run
from ovvis_cli.diorama.kinds import ALL_KINDS
from ovvis_cli.diorama.writer import ClipShape, write_video
from ovvis_cli.model_store.default_model import default_model
from ovvis_cli.record.reader import Record
from ovvis_models import catalog
from ovvis_models.converters.mask2former import to_detectron2
from ovvis_models.networks.mask2former import BackboneSpec, build_mask2former
from ovvis_models.systems.instformer_models import INSTFORMER_TINY
from ovvis_models.systems.minvis_models import MINVIS_R50_YTVIS2019

pytestmark = pytest.mark.e2e
NAME = MINVIS_R50_YTVIS2019.name
NUM_QUERIES = 7


@pytest.fixture
def installed(tmp_path, monkeypatch, capsys):
    """A small stand-in for the published model, imported from a file in its authors' layout."""
    monkeypatch.setenv("OVVIS_HOME", str(tmp_path / "home"))
    proposals = replace(
        MINVIS_R50_YTVIS2019.proposals,
        backbone=BackboneSpec(name="resnet18", arguments={"channels": (8, 8, 16, 16)}, norm="frozen"),
        width=32,
        num_heads=2,
        encoder_layers=1,
        encoder_ffn_dim=16,
        decoder_layers=1,
        decoder_ffn_dim=16,
        num_queries=NUM_QUERIES,
    )
    spec = replace(MINVIS_R50_YTVIS2019, proposals=proposals)
    entries = MappingProxyType({INSTFORMER_TINY.name: INSTFORMER_TINY, NAME: spec})
    monkeypatch.setattr(catalog, "CATALOG", entries)
    torch.manual_seed(3)
    tensors = to_detectron2(build_mask2former(proposals).state_dict())
    tensors["criterion.empty_weight"] = torch.ones(41)
    torch.save({"model": tensors, "iteration": 5999}, tmp_path / "minvis_ytvis19_R50.pth")
    assert run(["models", "import", NAME, str(tmp_path / "minvis_ytvis19_R50.pth")]) == 0
    capsys.readouterr()
    return tmp_path


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, cast=ALL_KINDS[:2], seed=3, shape=ClipShape(frame_hw=(48, 80), num_frames=5))
    return path


def test_segment_gives_names_of_the_closed_set(installed, video, capsys):
    out = installed / "out"
    asked = ["--classes", "Dog,giant panda", "--no-distractors", "--save", "ytvis"]
    assert run(["segment", str(video), "--model", NAME, "-o", str(out), "--json", *asked]) == 0
    assert json.loads(capsys.readouterr().out)["inputs"][0]["status"] == "done"
    record = Record.open(out / "clip")
    stored = record.tokens()
    assert stored.tokens.shape == (NUM_QUERIES, 41)
    columns = np.exp(stored.tokens[:, [7, 1, 40]].astype(np.float64))  # ids 8, 2, and no object
    for track, row in zip(record.header.tracks, columns / columns.sum(axis=1, keepdims=True), strict=True):
        best = int(row.argmax())
        assert track.label == ("Dog", "giant panda", None)[best]
        assert track.score == (None if best == 2 else pytest.approx(row[best], rel=1e-5))
        assert track.num_frames == 5
    assert run(["relabel", str(out / "clip"), "--classes", "zebra"]) == 0
    assert {track.label for track in Record.open(out / "clip").header.tracks} <= {"zebra", None}


def test_other_names_are_refused(installed, video, capsys):
    code = run(["segment", str(video), "--model", NAME, "-o", str(installed), "--classes", "dog,kite,key"])
    message = capsys.readouterr().err
    assert code == 3
    assert "knows only the 40 classes of ytvis2019: not kite, key" in message
    assert "--vocabulary ytvis2019" in message


def test_it_has_one_classifier_and_no_rollout(installed, video, capsys):
    asked = ["segment", str(video), "--model", NAME, "-o", str(installed), "--classes", "dog"]
    assert run([*asked, "--classifier", "instclip"]) == 2
    assert "choose class-head" in capsys.readouterr().err
    assert run([*asked, "--tracker", "rollout"]) != 0
    assert "no rollout tracker" in capsys.readouterr().err


def test_it_is_never_the_default(installed):
    assert default_model() == INSTFORMER_TINY.name
