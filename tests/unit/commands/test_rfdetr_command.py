"""`ovvis models` and InstFormer with RF-DETR: a small one, served in the layout of the model hub."""

import json
import sys
from dataclasses import replace
from types import MappingProxyType

import pytest
import torch
from safetensors.torch import load_file, save_file

from ovvis_cli.errors import as_ovvis_error
from ovvis_cli.model_store.default_model import default_model
from ovvis_cli.model_store.download import RetryPolicy
from ovvis_cli.model_store.file_check import checksum
from ovvis_cli.model_store.installed import installed_path, locate
from ovvis_models import catalog
from ovvis_models.errors import MismatchedWeightsError
from ovvis_models.loading import load, segmenter_for
from ovvis_models.networks.clip import build_clip
from ovvis_models.sources import CLIP_VIT_B_32
from ovvis_models.systems.instformer_models import INSTFORMER_R50, INSTFORMER_TINY
from ovvis_models.systems.rfdetr_models import INSTFORMER_RFDETR_MEDIUM
from ovvis_models.weights import read_tensors, save_weights
from tests.published_site import CLIP, Served, assert_equal, under
from tests.small_rf_detr import SMALL, random_network, require_library

NAME = "instformer-rfdetr-medium"
HUB_PATH = "/hub/Roboflow/rf-detr-seg-medium/resolve/main/model.safetensors"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The network, and the folder with its files as the hub has them."""
    require_library()
    folder = tmp_path_factory.mktemp("hub")
    network = random_network(torch, seed=8)
    network.network.save_pretrained(folder)  # model.safetensors and config.json
    save_file(build_clip(CLIP).state_dict(), folder / "clip.safetensors")
    return network, folder


@pytest.fixture
def published(files, site, home, monkeypatch):
    _, folder = files
    monkeypatch.setenv("HF_ENDPOINT", f"{site.url}/hub")
    monkeypatch.setattr(
        "ovvis_cli.model_store.published.RetryPolicy",
        lambda: RetryPolicy(timeout_s=2, tries=2, first_pause_s=0.01),
    )
    clip = folder / "clip.safetensors"
    site.serve(HUB_PATH, Served(body=(folder / "model.safetensors").read_bytes()))
    hub = CLIP_VIT_B_32.location
    site.serve(f"/hub/{hub.repository}/resolve/{hub.revision}/{hub.path}", Served(body=clip.read_bytes()))
    proposals, _ = INSTFORMER_RFDETR_MEDIUM.sources
    small_clip = replace(CLIP_VIT_B_32, sha256=checksum(clip, "sha256"), size_bytes=clip.stat().st_size)
    spec = replace(
        INSTFORMER_RFDETR_MEDIUM,
        proposals=SMALL,
        proposal_input=replace(
            INSTFORMER_RFDETR_MEDIUM.proposal_input, short_side=96, max_side=96, divisor=SMALL.window_px
        ),
        clip=CLIP,
        sources=(proposals, small_clip),
    )
    entries = (INSTFORMER_TINY, spec, INSTFORMER_R50)
    monkeypatch.setattr(catalog, "CATALOG", MappingProxyType({entry.name: entry for entry in entries}))
    return spec


def test_pull_installs_what_the_hub_holds_and_segments_with_it(published, files, home, ovvis):
    network, _ = files
    out = ovvis("pull", NAME)
    for told in ("the newest version", "no checksum is published", "licence Apache-2.0", "COCO"):
        assert told in out
    assert not list((home / "downloads").glob("*"))
    assert_equal(under(read_tensors(installed_path(NAME)), "proposals."), network.state_dict())
    model = load(locate(NAME))
    assert model.spec.default_tracker() == "adjacent"
    frames = torch.randint(0, 256, (2, 60, 100, 3), generator=torch.Generator().manual_seed(1)).byte()
    found, shape = model.network.propose(frames)
    expected = network.propose(torch.zeros(2, 3, *shape.padded_hw))
    assert found.mask_logits.shape == expected.mask_logits.shape
    segmenter = segmenter_for(model)
    for index, window in enumerate(segmenter.encode(frames)):
        result = segmenter.step(window, [index])
        assert result.frames[0].masks.shape[1:] == (60, 100)


def test_import_takes_the_same_files_and_refuses_those_of_another_size(published, files, ovvis, tmp_path):
    _, folder = files
    ovvis("import", NAME, folder / "clip.safetensors", folder / "model.safetensors")
    assert json.loads(ovvis("info", NAME, "--json"))["installed"] is True
    other = tmp_path / "other.safetensors"
    tensors = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in tensors.items() if ".blocks.1." not in name}, other)
    err = ovvis("import", NAME, other, folder / "clip.safetensors", code=4)
    assert "other.safetensors: weights of another RF-DETR" in err
    assert len([line for line in err.splitlines() if line.startswith("error")]) == 1
    err = ovvis("import", NAME, folder / "clip.safetensors", code=4)
    assert "also needs an RF-DETR checkpoint" in err


def test_without_the_library_nothing_is_fetched(published, site, home, ovvis, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    err = ovvis("pull", NAME, code=4)
    assert len(err.splitlines()) == 1
    assert "ovvis[rfdetr]" in err
    assert site.requests == []
    assert "DINOv2" in ovvis("info", NAME)  # what a model is can be told without it


def test_it_is_the_default_before_a_model_of_lower_published_accuracy(published, files, ovvis):
    _, folder = files
    assert default_model() == INSTFORMER_TINY.name
    ovvis("import", NAME, folder / "model.safetensors", folder / "clip.safetensors")
    assert default_model() == NAME
    installed_path(INSTFORMER_R50.name).write_bytes(b"")  # installed as well: 43.7 AP, this one 45.3
    assert default_model() == NAME


def test_weights_whose_names_an_update_changed_are_pulled_again(published, files, ovvis):
    _, folder = files
    ovvis("import", NAME, folder / "model.safetensors", folder / "clip.safetensors")
    network = published.build()
    network.proposals.network.spatial_features_proj = torch.nn.Identity()
    save_weights(network, installed_path(NAME), metadata={"model": NAME})
    with pytest.raises(MismatchedWeightsError, match="missing") as caught:
        load(locate(NAME))
    assert f"ovvis models pull {NAME} --again" in str(as_ovvis_error(caught.value))
