"""What was trained on top of a model, as a file of its own."""

from dataclasses import replace
from types import MappingProxyType

import pytest
import torch
from safetensors.torch import save_file

from ovvis_cli.inference.engine import start_engine
from ovvis_cli.inference.tracker_options import TrackerOptions
from ovvis_models import catalog
from ovvis_models.adapters import save_adapter
from ovvis_models.errors import CorruptWeightsError, MismatchedWeightsError, MissingWeightsError
from ovvis_models.loading import load, segmenter_for
from ovvis_models.systems.instformer_models import INSTFORMER_R50
from ovvis_models.trackers.adjacent import AdjacentTracker
from ovvis_models.trackers.rollout import RolloutTracker
from ovvis_models.weights import save_weights
from tests.unit.commands.test_models_command import CLIP, NAME, PROPOSALS


@pytest.fixture(scope="module")
def spec():
    return replace(INSTFORMER_R50, proposals=PROPOSALS, clip=CLIP)


@pytest.fixture
def base(spec, tmp_path, monkeypatch):
    """Weights of a model without LoRA and rollout."""
    monkeypatch.setattr(catalog, "CATALOG", MappingProxyType({NAME: spec}))
    torch.manual_seed(0)
    path = tmp_path / "base.safetensors"
    save_weights(spec.build(), path, metadata={"model": NAME}, dtype=None)
    return path


@pytest.fixture(scope="module")
def trained(spec):
    torch.manual_seed(1)
    network = replace(
        spec,
        instclip=replace(spec.instclip, num_instance_tokens=5, lora_rank=2, lora_alpha=6.0),
        association=replace(spec.association, hidden_dim=8),
    ).build()
    for name, parameter in network.named_parameters():
        if "lora" in name or name.startswith("tracker"):
            torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture
def adapter(trained, tmp_path):
    path = tmp_path / "adapter.safetensors"
    save_adapter(trained, path, model=NAME)
    return path


def test_an_adapter_is_put_over_the_model(base, adapter, trained):
    model = load(base, adapter=adapter)
    without = load(base)
    assert model.spec.instclip.lora_rank == 2
    assert model.spec.default_tracker() == "rollout"
    assert model.adapter_sha256 is not None
    assert model.weights_sha256 == without.weights_sha256
    assert without.adapter_sha256 is None
    state, expected, plain = (n.state_dict() for n in (model.network, trained, without.network))
    for name, value in state.items():
        is_trained = "lora" in name or "_token" in name.split(".")[-1] or name.startswith("tracker.")
        wanted = expected[name] if is_trained else plain[name]
        assert torch.allclose(value, wanted, atol=1e-3), name
    assert model.network.instance_encoder.lora[0].query.scale == 3.0


def test_an_adapter_changes_tokens_and_tracker(base, adapter):
    frames = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    answers = {}
    for name, file in (("without", None), ("with", adapter)):
        model = load(base, adapter=file)
        segmenter = segmenter_for(model)
        with torch.inference_mode():
            answers[name] = segmenter.encode(frames)[0]
        answers[f"tracker {name}"] = type(segmenter.association.tracker)
    assert torch.equal(answers["with"].mask_logits, answers["without"].mask_logits)
    assert not torch.allclose(answers["with"].instance_tokens, answers["without"].instance_tokens, atol=1e-3)
    assert answers["tracker with"] is RolloutTracker
    assert answers["tracker without"] is AdjacentTracker


def test_the_engine_tells_which_adapter_it_used(base, adapter, monkeypatch, home):
    with_adapter = start_engine(base, adapter=adapter, device="cpu")
    without = start_engine(base, device="cpu")
    assert with_adapter.settings["adapter_sha256"] == with_adapter.model.adapter_sha256
    assert with_adapter.settings["tracker"] == "rollout"
    assert "adapter_sha256" not in without.settings
    assert without.settings["tracker"] == "adjacent"


def test_a_tracker_that_was_never_trained_is_refused(base, home):
    with pytest.raises(MissingWeightsError, match="no trained rollout tracker"):
        start_engine(base, device="cpu", tracker=TrackerOptions(name="rollout"))


def test_wrong_adapters_are_refused(base, trained, tmp_path):
    other = tmp_path / "other.safetensors"
    save_adapter(trained, other, model="instformer-swin-t")
    with pytest.raises(
        MismatchedWeightsError, match="an adapter of instformer-swin-t, not of instformer-r50"
    ):
        load(base, adapter=other)
    with pytest.raises(MismatchedWeightsError, match="is not an adapter"):
        load(base, adapter=base)
    with pytest.raises(MissingWeightsError):
        load(base, adapter=tmp_path / "gone.safetensors")
    metadata = {"adapter_of": NAME, "lora_alpha": "1"}
    save_file({"proposals.x": torch.zeros(1)}, other, metadata=metadata)
    with pytest.raises(MismatchedWeightsError, match="not part of an adapter"):
        load(base, adapter=other)
    save_file({"tracker.x": torch.zeros(1)}, other, metadata=metadata)
    with pytest.raises(MismatchedWeightsError, match="1 unexpected"):
        load(base, adapter=other)
    save_file({"tracker.x": torch.zeros(1)}, other, metadata={"adapter_of": NAME})
    with pytest.raises(CorruptWeightsError, match="lora_alpha"):
        load(base, adapter=other)
