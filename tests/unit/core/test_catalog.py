from dataclasses import fields, replace

import pytest
import torch

from ovvis_models import catalog, loading
from ovvis_models.catalog import CATALOG, find_spec
from ovvis_models.errors import (
    CorruptWeightsError,
    MismatchedWeightsError,
    MissingWeightsError,
    UnknownModelError,
)
from ovvis_models.heads.masked_crops import MaskedCrops
from ovvis_models.loading import load, segmenter_for
from ovvis_models.networks.instformer import best_proposals
from ovvis_models.networks.rf_detr import RfDetrSpec
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.preprocess import geometry, prepare
from ovvis_models.structures import Proposals
from ovvis_models.systems.instformer import InstFormerSpec
from ovvis_models.systems.spec import TrackerChoice
from ovvis_models.trackers.adjacent import AdjacentTracker
from ovvis_models.trackers.assignment import FIXED_SLOTS
from ovvis_models.weights import save_weights, weights_hash

TINY = "instformer-tiny"


def smaller(network):
    """The same network on smaller pictures: faster, and nothing here depends on the size."""
    network.proposal_input = replace(network.proposal_input, short_side=64, max_side=128)
    network.clip_input = replace(network.clip_input, short_side=48, max_side=96)
    return network


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return smaller(find_spec(TINY).build().eval())


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "instformer_tiny.safetensors"
    save_weights(network, path, metadata={"model": TINY})
    return path


def test_every_entry_is_complete():
    assert {"instformer-tiny", "instformer-r50"} <= CATALOG.keys()
    for name, spec in CATALOG.items():
        assert spec.name == name
        assert spec.description
        assert spec.weights is None or spec.licence


def test_frames_are_resized_as_the_spec_says(network):
    frames = torch.randint(0, 256, (1, 97, 131, 3), dtype=torch.uint8)
    seen = []
    hook = network.proposals.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    plain = network.proposal_input
    for resize in ("torch", "pillow"):
        network.proposal_input = replace(plain, resize=resize)
        network.propose(frames)
        shape = geometry((97, 131), short_side=64, max_side=128, divisor=32)
        expected = prepare(frames, shape, mean=plain.mean, std=plain.std, resize=resize)
        assert torch.equal(seen[-1], expected)
    hook.remove()
    network.proposal_input = plain
    assert not torch.equal(*seen)


def test_published_proposal_networks_see_what_they_were_trained_on():
    for spec in CATALOG.values():
        published = "plain" if isinstance(spec.proposals, RfDetrSpec) else "pillow"
        elsewhere = bool(spec.sources or spec.page)
        assert spec.proposal_input.resize == (published if elsewhere else "torch")


def test_the_catalog_cannot_be_changed():
    with pytest.raises(TypeError):
        CATALOG["other"] = CATALOG[TINY]


def test_numbers_fit_together(network):
    spec = find_spec(TINY)
    assert network.instance_encoder.embed_dim == network.text_encoder.embed_dim == spec.clip.embed_dim
    assert network.tracker.cell.input_size == spec.proposals.width + spec.clip.embed_dim


def test_predict_is_the_same_alone_and_in_a_batch(network):
    frames = torch.randint(
        0, 256, (2, 90, 161, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    with torch.inference_mode():
        together = network.predict(frames)
        alone = network.predict(frames[1:])
    queries, width = CATALOG[TINY].proposals.num_queries, CATALOG[TINY].proposals.width
    assert together.proposals.query_embeds.shape == (2, queries, width)
    assert together.proposals.mask_logits.shape[2:] == tuple(
        side // 4 for side in together.geometry.padded_hw
    )
    assert together.instance_tokens.norm(dim=-1).sub(1).abs().max() < 1e-4
    assert torch.allclose(together.proposals.object_logits[1:], alone.proposals.object_logits, atol=1e-3)
    assert torch.allclose(together.instance_tokens[1:], alone.instance_tokens, atol=1e-3)


def test_max_instances_keeps_the_best(network):
    proposals = Proposals(
        query_embeds=torch.arange(8.0).view(2, 4, 1),
        mask_logits=torch.arange(8.0).view(2, 4, 1, 1).expand(2, 4, 3, 5),
        object_logits=torch.tensor([[0.0, 3.0, 1.0, 2.0], [9.0, 0.0, 8.0, 1.0]]),
    )
    best = best_proposals(proposals, num_instances=2)
    assert best.object_logits.tolist() == [[3.0, 2.0], [9.0, 8.0]]
    assert best.query_embeds[..., 0].tolist() == [[1.0, 3.0], [4.0, 6.0]]
    assert best.mask_logits.shape == (2, 2, 3, 5)
    assert best.mask_logits[..., 0, 0].tolist() == [[1.0, 3.0], [4.0, 6.0]]
    assert best_proposals(proposals, num_instances=9).object_logits.shape == (2, 4)


def test_load_by_path(network, weights):
    model = load(weights)
    assert model.spec.name == TINY
    assert model.weights_sha256 == weights_hash(weights)
    assert not model.network.training
    expected = network.state_dict()
    for name, value in model.network.state_dict().items():
        assert value.dtype == expected[name].dtype
        assert torch.allclose(value, expected[name], atol=1e-3)


def test_load_by_name_checks_the_sum(weights, monkeypatch):
    monkeypatch.setattr(loading, "ZOO", weights.parent)
    spec = replace(CATALOG[TINY], weights=replace(CATALOG[TINY].weights, sha256=weights_hash(weights)))
    monkeypatch.setattr(catalog, "CATALOG", {TINY: spec})
    assert load(TINY).spec.name == TINY
    spec = replace(CATALOG[TINY], weights=replace(CATALOG[TINY].weights, sha256="0" * 64))
    monkeypatch.setattr(catalog, "CATALOG", {TINY: spec})
    with pytest.raises(CorruptWeightsError, match="SHA-256"):
        load(TINY)


def test_unknown_names_list_the_known_ones():
    for call in (load, find_spec):
        with pytest.raises(UnknownModelError, match="instformer-r50, .*instformer-tiny"):
            call("yolo")


def test_models_without_weights_say_so():
    with pytest.raises(MissingWeightsError, match="instformer-r50 is not installed"):
        load("instformer-r50")


def test_files_that_name_no_model_are_refused(network, tmp_path):
    save_weights(network.tracker, tmp_path / "a.safetensors", metadata={})
    with pytest.raises(MismatchedWeightsError, match="which model"):
        load(tmp_path / "a.safetensors")


def test_files_of_another_network_are_refused(network, tmp_path):
    save_weights(network.tracker, tmp_path / "a.safetensors", metadata={"model": TINY})
    with pytest.raises(MismatchedWeightsError, match="missing"):
        load(tmp_path / "a.safetensors")


def test_trackers_and_classifiers_combine(weights):
    model = load(weights)
    smaller(model.network)
    frames = torch.randint(
        0, 256, (1, 64, 80, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    for tracker in ("rollout", "adjacent", "previous-frame"):
        for classifier in ("instclip", "masked-crops"):
            for rules in ("product", "published"):
                segmenter = segmenter_for(
                    model, tracker=TrackerChoice(name=tracker), classifier=classifier, rules=rules
                )
                assert isinstance(segmenter.encoder.instance_encoder, MaskedCrops) == (
                    classifier == "masked-crops"
                )
                (window,) = segmenter.encode(frames)
                assert len(segmenter.step(window, [0]).frames) == 1
                fixed = rules == "published" or tracker == "previous-frame"
                expected = FIXED_SLOTS if fixed else model.spec.association.rules
                assert segmenter.association.tracker.rules == expected
    learned = segmenter_for(model, tracker=TrackerChoice(name="rollout")).association.tracker
    assert learned.cell is model.network.tracker.cell


def test_minvis_clip_is_two_choices_of_one_pipeline():
    ours, theirs = find_spec("minvis-clip-r50"), find_spec("instformer-r50")
    assert (ours.default_tracker(), ours.classifier) == ("previous-frame", "masked-crops")
    assert (theirs.default_tracker(), theirs.classifier) == ("adjacent", "instclip")
    assert ours.sources == theirs.sources


def test_a_models_own_tracker_and_classifier_are_used_unless_others_are_asked_for(weights):
    model = load(weights)
    smaller(model.network)
    spec = replace(
        model.spec,
        classifiers=("masked-crops", "instclip"),
        association=replace(model.spec.association, hidden_dim=None, untrained="previous-frame"),
    )
    model = replace(model, spec=spec)
    own = segmenter_for(model)
    assert isinstance(own.encoder.instance_encoder, MaskedCrops)
    assert own.association.tracker.rules == FIXED_SLOTS
    asked = segmenter_for(model, tracker=TrackerChoice(name="adjacent"), classifier="instclip")
    assert not isinstance(asked.encoder.instance_encoder, MaskedCrops)
    assert asked.association.tracker.rules == spec.association.rules


def test_as_in_minvis_every_query_is_a_track_whatever_its_score(weights):
    model = load(weights)
    smaller(model.network)
    segmenter = segmenter_for(model, tracker=TrackerChoice(name="previous-frame"))
    frames = torch.randint(
        0, 256, (2, 64, 80, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    windows = segmenter.encode(frames)
    for index, window in enumerate(windows):
        segmenter.step(window, [index])
    queries = torch.stack([window.query_embeds.float() for window in windows])
    tracker, width = AdjacentTracker(FIXED_SLOTS), queries.shape[2]
    state = tracker.initial_state(width, queries.device)
    for frame in queries:
        state, _ = tracker.step(state, frame, frame.new_ones(len(frame)))
    kept = segmenter.state_dict()
    assert torch.equal(kept["tracker.expected_tokens"], state.expected_tokens)
    assert kept["tracker.expected_tokens"].shape == (queries.shape[1], width)


@pytest.mark.slow
def test_the_full_size_model_builds_and_predicts():
    network = find_spec("instformer-r50").build().eval()
    with torch.inference_mode():
        prediction = network.predict(torch.zeros((1, 120, 160, 3), dtype=torch.uint8))
    assert prediction.proposals.query_embeds.shape == (1, 100, 256)
    assert prediction.instance_tokens.shape == (1, 100, 512)


def test_specs_hold_numbers_only():
    """A spec is data: it compares, and it can be replaced field by field."""
    spec = CATALOG[TINY]
    assert isinstance(spec, InstFormerSpec)
    assert replace(spec) == spec
    assert {f.name for f in fields(spec)} >= {"proposals", "clip", "association", "weights", "licence"}


def test_the_networks_of_an_entry_are_built_by_its_name():
    network = catalog.build(TINY)
    assert isinstance(network, VideoNetwork)
    assert network.state_dict().keys() == find_spec(TINY).build().state_dict().keys()
    with pytest.raises(UnknownModelError, match="unknown model 'gpt'"):
        catalog.build("gpt")
