"""RF-DETR of the transformers library as a proposal network: nothing is changed on the way in or out."""

import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from ovvis_models.catalog import CATALOG
from ovvis_models.converters.rf_detr import is_rf_detr
from ovvis_models.errors import MismatchedWeightsError, MissingPackageError
from ovvis_models.loading import ready
from ovvis_models.precision import round_weights
from ovvis_models.preprocess import proposal_images
from tests.small_rf_detr import SMALL, random_network, require_library

SIZES = ("nano", "small", "medium", "large")
MILLIONS = {"nano": 33.6, "small": 33.7, "medium": 35.7, "large": 36.2}  # parameters, as its authors count
MEDIUM = CATALOG["instformer-rfdetr-medium"]
INPUT = replace(MEDIUM.proposal_input, short_side=96, max_side=96, divisor=SMALL.window_px)


@pytest.fixture
def network():
    require_library()
    return random_network(torch, seed=3)


@pytest.fixture
def frames():
    generator = torch.Generator().manual_seed(4)
    return torch.randint(0, 256, (2, 70, 130, 3), dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def test_proposals_are_the_outputs_of_the_library(network):
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(5))
    theirs = network.network(pixel_values=images)
    ours = network.propose(images)
    assert torch.equal(ours.mask_logits, theirs.pred_masks)
    assert torch.equal(ours.query_embeds, theirs.last_hidden_state)
    assert torch.equal(ours.object_logits, theirs.logits.max(dim=-1).values)
    assert ours.mask_logits.shape == (2, 5, 24, 24)
    assert ours.mask_logits.std() > 0.01
    assert ours.object_logits.std() > 0.01


@torch.inference_mode()
def test_frames_are_prepared_as_by_the_processor_of_the_library(network, frames):
    from transformers import RfDetrImageProcessor

    processor = RfDetrImageProcessor(size={"height": 96, "width": 96})
    theirs = processor(images=list(frames.permute(0, 3, 1, 2)), return_tensors="pt")
    ours, shape = proposal_images(frames, INPUT)
    torch.testing.assert_close(ours, theirs["pixel_values"], rtol=0, atol=1e-5)
    assert (shape.resized_hw, shape.padded_hw) == ((96, 96), (96, 96))
    output = network.network(**theirs)
    torch.testing.assert_close(network.propose(ours).mask_logits, output.pred_masks, rtol=1e-3, atol=1e-3)


def test_a_network_made_ready_proposes_the_same(network, frames):
    spec = replace(CATALOG["instformer-tiny"], proposals=SMALL, proposal_input=INPUT)
    whole = spec.build().eval()
    whole.proposals.load_state_dict(network.state_dict())
    with torch.inference_mode():
        before, _ = whole.propose(frames)
        after, _ = ready(whole).propose(frames)
    torch.testing.assert_close(after.mask_logits, before.mask_logits, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(after.object_logits, before.object_logits, rtol=1e-3, atol=1e-3)


def test_a_published_file_is_read_and_told_apart(network, tmp_path, capfd):
    network.network.save_pretrained(tmp_path)
    capfd.readouterr()
    published = load_file(tmp_path / "model.safetensors")
    assert is_rf_detr(published)
    found = SMALL.convert(published, network.state_dict())
    assert found.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(found[name], value), name
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_queries": 4}, "of another shape"),
        ({"decoder_layers": 3}, "missing"),
        ({"decoder_layers": 1}, "unexpected"),
    ],
)
def test_a_file_of_another_size_is_refused(network, tmp_path, capfd, change, told):
    network.network.save_pretrained(tmp_path)
    capfd.readouterr()
    other = replace(SMALL, **change)
    with pytest.raises(MismatchedWeightsError, match=f"another RF-DETR: .*{told}"):
        other.convert(load_file(tmp_path / "model.safetensors"), other.build().state_dict())
    assert "".join(capfd.readouterr()) == ""


@torch.inference_mode()
def test_it_runs_in_half_precision(network):
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(6))
    whole = network.propose(images)
    round_weights(network, torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        half = network.propose(images)
    similarity = torch.cosine_similarity(half.query_embeds.float(), whole.query_embeds, dim=-1)
    assert similarity.median() > 0.99  # not of all: places whose scores nearly tie may change their order
    assert half.mask_logits.isfinite().all()


@pytest.mark.parametrize("size", SIZES)
def test_a_network_has_the_parameters_that_its_authors_count(size):
    require_library()
    with torch.device("meta"):
        network = CATALOG[f"instformer-rfdetr-{size}"].proposals.build()
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(MILLIONS[size], abs=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_the_input_is_whole_windows_at_the_trained_size(size):
    spec = CATALOG[f"instformer-rfdetr-{size}"]
    side = spec.proposals.image_size
    assert side % spec.proposals.window_px == 0
    assert spec.proposal_input.geometry_of((480, 854)).padded_hw == (side, side)


def test_without_the_library_the_way_to_install_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingPackageError, match=r'pip install "transformers>=.*ovvis\[rfdetr\]'):
        MEDIUM.build()
    with pytest.raises(MissingPackageError):
        MEDIUM.proposals.require_packages()
