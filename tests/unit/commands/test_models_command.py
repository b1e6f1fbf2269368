"""`ovvis models` end to end: a small model whose published files a server of this machine serves."""

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovvis_cli.app import run
from ovvis_cli.model_store.default_model import default_model
from ovvis_cli.model_store.download import RetryPolicy
from ovvis_cli.model_store.file_check import checksum
from ovvis_cli.model_store.installed import hold_install_lock, installed_path, locate
from ovvis_models import catalog
from ovvis_models.converters.checkpoint_files import read_checkpoint
from ovvis_models.converters.mask2former import to_detectron2
from ovvis_models.loading import load
from ovvis_models.networks.clip import build_clip
from ovvis_models.networks.mask2former import BackboneSpec, Mask2FormerSpec, build_mask2former
from ovvis_models.sources import CLIP_VIT_B_32, MASK2FORMER_R50, WebFile
from ovvis_models.systems.instformer_models import INSTFORMER_R50, INSTFORMER_TINY
from ovvis_models.weights import read_metadata, read_tensors
from tests.published_site import CLIP, Served, assert_equal, left, under

NAME = "instformer-r50"
PROPOSALS = Mask2FormerSpec(
    backbone=BackboneSpec(name="resnet18", arguments={"channels": (8, 8, 16, 16)}, norm="frozen"),
    width=32,
    num_heads=2,
    encoder_layers=1,
    encoder_ffn_dim=16,
    num_points=4,
    decoder_layers=1,
    decoder_ffn_dim=16,
    queries="learned",
    num_queries=5,
    num_classes=3,
)


@dataclass
class Model:
    """A small stand-in for instformer-r50, and the files that are published of it."""

    proposals: dict[str, torch.Tensor]
    clip: dict[str, torch.Tensor]
    pickle: Path
    safetensors: Path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("published")
    proposals, clip = build_mask2former(PROPOSALS).state_dict(), build_clip(CLIP).state_dict()
    checkpoint = {name: value.numpy() for name, value in to_detectron2(proposals).items()}
    checkpoint["criterion.empty_weight"] = np.ones(4, dtype=np.float32)
    document = {"model": checkpoint, "__author__": "third_party", "matching_heuristics": True}
    (folder / "model_final.pkl").write_bytes(pickle.dumps(document))
    save_file({k: v.half() for k, v in clip.items()}, folder / "clip.safetensors")
    clip = {name: value.half().float() for name, value in clip.items()}
    return Model(proposals, clip, folder / "model_final.pkl", folder / "clip.safetensors")


@pytest.fixture
def published(model, site, home, monkeypatch):
    """The catalog with that model instead of the great one; its files are served."""
    monkeypatch.setenv("HF_ENDPOINT", f"{site.url}/hub/")
    monkeypatch.setattr(
        "ovvis_cli.model_store.published.RetryPolicy",
        lambda: RetryPolicy(timeout_s=2, tries=2, first_pause_s=0.01),
    )
    hub = CLIP_VIT_B_32.location
    site.serve("/zoo/model_final.pkl", Served(body=model.pickle.read_bytes()))
    site.serve(
        f"/hub/{hub.repository}/resolve/{hub.revision}/{hub.path}",
        Served(body=model.safetensors.read_bytes()),
    )
    sources = (
        replace(
            MASK2FORMER_R50,
            location=WebFile(url=f"{site.url}/zoo/model_final.pkl"),
            md5_start=checksum(model.pickle, "md5")[:6],
        ),
        replace(
            CLIP_VIT_B_32,
            sha256=checksum(model.safetensors, "sha256"),
            size_bytes=model.safetensors.stat().st_size,
        ),
    )
    spec = replace(INSTFORMER_R50, proposals=PROPOSALS, clip=CLIP, sources=sources)
    monkeypatch.setattr(
        catalog, "CATALOG", MappingProxyType({INSTFORMER_TINY.name: INSTFORMER_TINY, NAME: spec})
    )
    return spec


def test_pull_installs_what_was_published(published, model, site, home, ovvis):
    out = ovvis("pull", NAME)
    for told in (f"{site.url}/zoo/model_final.pkl", "CC BY-NC 4.0", "MIT", "COCO", "MD5", "SHA-256"):
        assert told in out
    assert left(home) == [".lock", f"models/{NAME}.safetensors"]
    network = load(locate(NAME)).network
    stored = read_tensors(installed_path(NAME))  # the loaded network is folded
    assert_equal(under(stored, "proposals."), model.proposals)
    visual = under(model.clip, "visual.")
    tower = {name: value.float() for name, value in under(stored, "instance_encoder.visual.").items()}
    assert_equal(tower, {name: value.float() for name, value in visual.items()})
    text = under(stored, "text_encoder.")
    assert text.keys() == network.text_encoder.state_dict().keys()
    assert_equal(text, {name: model.clip[name] for name in text})
    assert network.instance_encoder.lora is None
    assert network.tracker is None
    start = visual["class_embedding"] + visual["positional_embedding"][0]
    assert torch.equal(network.instance_encoder.instance_token, start[None])
    assert torch.equal(network.instance_encoder.register_token, start)


def test_no_value_changes_and_halves_stay_halves(published, model, ovvis):
    ovvis("import", NAME, model.pickle, model.safetensors)
    stored = read_tensors(installed_path(NAME))
    assert stored["text_encoder.token_embedding.weight"].dtype == torch.float16
    assert stored["proposals.pixel_decoder.level_embed"].dtype == torch.float32
    metadata = read_metadata(installed_path(NAME))
    assert metadata["model"] == NAME
    assert metadata["licence"] == published.licence
    assert "model_final.pkl" in metadata["made_of"]


def test_pull_survives_a_broken_connection_and_a_second_call(published, site, home, ovvis):
    served = site.paths["/zoo/model_final.pkl"]
    served.break_after = [20_000, 0, 0]
    err = ovvis("pull", NAME, code=4)
    assert "cannot download from 127.0.0.1" in err
    assert any(name.endswith(".pkl.part") for name in left(home))
    ovvis("pull", NAME)
    assert site.ranges_asked().count("bytes=20000-") >= 2
    assert left(home) == [".lock", f"models/{NAME}.safetensors"]


def test_without_a_network_the_way_by_hand_is_told(published, site, home, ovvis, model):
    site.paths.clear()
    err = ovvis("pull", NAME, code=4)
    assert len(err.splitlines()) == 1
    downloads = home / "downloads"
    for told in ("/zoo/model_final.pkl", f"ovvis models import {NAME} FILE FILE", str(downloads)):
        assert told in err
    # as the message says: the files under their names, and pull again
    for source, path in zip(published.sources, (model.pickle, model.safetensors), strict=True):
        (downloads / source.file_name).write_bytes(path.read_bytes())
    site.requests.clear()
    ovvis("pull", NAME)
    assert site.requests == []
    assert installed_path(NAME).is_file()


def test_a_wrong_file_is_refused_and_removed(published, site, home, ovvis):
    site.paths["/zoo/model_final.pkl"].body = b"<!DOCTYPE html><title>Log in"
    assert "a text page" in ovvis("pull", NAME, code=4)
    site.paths["/zoo/model_final.pkl"].body = bytes(1000)
    assert "md5" in ovvis("pull", NAME, code=4)
    site.paths["/zoo/model_final.pkl"].endless = True
    assert "more than" in ovvis("pull", NAME, code=4)
    assert left(home) == [".lock"]


def test_pull_keeps_and_shares_the_published_files(published, site, home, ovvis):
    ovvis("pull", NAME, "--keep")
    assert [name for name in left(home) if name.startswith("downloads/")] == sorted(
        f"downloads/{source.file_name}" for source in published.sources
    )
    site.requests.clear()
    ovvis("pull", NAME)
    ovvis("pull", NAME, "--again")
    assert site.requests == []


def test_the_embedded_model_is_never_pulled_imported_or_removed(published, site, ovvis, model):
    ovvis("pull", INSTFORMER_TINY.name)
    assert "comes with ovvis" in ovvis("import", INSTFORMER_TINY.name, model.pickle, code=4)
    assert "is part of ovvis" in ovvis("remove", INSTFORMER_TINY.name, code=4)
    assert site.requests == []


def test_import_takes_files_in_any_order_and_no_network(published, model, site, home, ovvis, capsys):
    ovvis("import", NAME, model.safetensors, model.pickle)
    assert site.requests == []
    assert left(home) == [".lock", f"models/{NAME}.safetensors"]


def test_import_of_an_installed_file_of_another_machine(published, model, ovvis, tmp_path):
    ovvis("import", NAME, model.safetensors, model.pickle)
    copy = tmp_path / "copied.safetensors"
    copy.write_bytes(installed_path(NAME).read_bytes())
    ovvis("remove", NAME)
    ovvis("import", NAME, copy)
    assert installed_path(NAME).read_bytes() == copy.read_bytes()


def test_import_says_what_is_missing_or_twice(published, model, home, ovvis, tmp_path):
    assert "also needs a CLIP checkpoint" in ovvis("import", NAME, model.pickle, code=4)
    assert "both a CLIP checkpoint" in ovvis("import", NAME, model.safetensors, model.safetensors, code=4)
    assert "gone.pkl does not exist" in ovvis(
        "import", NAME, tmp_path / "gone.pkl", model.safetensors, code=4
    )
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    err = ovvis("import", NAME, tmp_path / "other.safetensors", model.pickle, code=4)
    assert "neither a Mask2Former checkpoint nor a CLIP checkpoint" in err
    assert left(home) == [".lock"]


def test_import_warns_of_files_that_nobody_knows(published, model, ovvis, tmp_path, capsys):
    other = tmp_path / "trained.safetensors"
    save_file(to_detectron2({k: v + 1 for k, v in model.proposals.items()}), other)
    assert run(["models", "import", NAME, str(other), str(model.safetensors)]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert "trained.safetensors" in warnings[0]


def test_a_safetensors_file_that_begins_like_a_pickle_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    for padding in range(4096):
        save_file({"weight": torch.ones(2)}, path, metadata={"padding": "x" * padding})
        if path.read_bytes()[:1] == b"\x80":
            break
    assert path.read_bytes()[:1] == b"\x80"
    assert read_checkpoint(path)["weight"].tolist() == [1.0, 1.0]


def test_import_of_another_network_names_the_file_and_what_it_is(published, model, home, ovvis, tmp_path):
    wrong = tmp_path / "b16.safetensors"
    bigger = replace(CLIP, vision=replace(CLIP.vision, width=768, patch_size=16, head_width=64))
    save_file(build_clip(bigger).state_dict(), wrong)
    err = ovvis("import", NAME, wrong, model.pickle, code=4)
    assert "b16.safetensors: this looks like CLIP ViT-B/16" in err
    assert left(home) == [".lock"]


def test_damaged_weights_are_refused(published, model, home, ovvis, tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    save_file({k: v * float("nan") for k, v in model.clip.items()}, damaged)
    assert "damaged" in ovvis("import", NAME, damaged, model.pickle, code=4)
    assert left(home) == [".lock"]


def test_a_pickle_that_runs_code_is_refused(published, model, home, ovvis, tmp_path):
    target = tmp_path / "run"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (target,))

    evil = tmp_path / "evil.pkl"
    evil.write_bytes(pickle.dumps({"model": {"sem_seg_head.x": Evil()}}))
    ovvis("import", NAME, evil, model.safetensors, code=4)
    assert not target.exists()
    assert left(home) == [".lock"]


def test_remove(published, model, home, ovvis):
    ovvis("import", NAME, model.pickle, model.safetensors)
    ovvis("remove", NAME)
    assert left(home) == [".lock"]
    assert "not installed" in ovvis("remove", NAME, code=4)


def test_list_and_info_tell_state_and_licence(published, model, ovvis):
    assert f"ovvis models pull {NAME}" in ovvis("list")
    ovvis("import", NAME, model.pickle, model.safetensors)
    listed = json.loads(ovvis("list", "--json"))["models"]
    assert {entry["name"]: entry["installed"] for entry in listed}[NAME] is True
    told = json.loads(ovvis("info", NAME, "--json"))
    assert [source["licence"] for source in told["sources"]] == [s.licence for s in published.sources]
    assert told["sources"][0]["md5_start"] == published.sources[0].md5_start
    assert "did you mean instformer-r50?" in ovvis("info", "instformer-r5", code=4)


def test_the_best_installed_model_is_the_default(published, model, ovvis, monkeypatch):
    assert default_model() == INSTFORMER_TINY.name
    ovvis("import", NAME, model.pickle, model.safetensors)
    assert default_model() == NAME
    monkeypatch.setenv("OVVIS_MODEL", INSTFORMER_TINY.name)
    assert default_model() == INSTFORMER_TINY.name


def test_two_at_once_are_refused(published, model, ovvis):
    with hold_install_lock():
        assert "another ovvis" in ovvis("import", NAME, model.pickle, model.safetensors, code=5)


def test_a_wrong_hub_address_is_a_usage_error(published, ovvis, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    assert "HF_ENDPOINT" in ovvis("pull", NAME, code=2)


def test_the_hub_is_the_default(published, ovvis, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT")
    assert "https://huggingface.co/timm/" in ovvis("info", NAME)


def test_the_default_tracker_is_training_free(published):
    network = published.build()
    assert network.tracker is None
    assert published.default_tracker() == "adjacent"
    assert INSTFORMER_TINY.default_tracker() == "rollout"
