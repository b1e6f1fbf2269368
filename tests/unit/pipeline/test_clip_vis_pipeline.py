"""CLIP-VIS through the one pipeline, untrained: record, other words, resuming, constant memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ovvis_cli.errors import UsageError
from ovvis_cli.inference.engine import start_engine
from ovvis_models.catalog import CLIPVIS_TINY, LoadedModel, build_network, segmenter_for
from ovvis_models.errors import MissingWeightsError
from ovvis_models.heads.weighted_scores import (
    CLASS_EXPONENT,
    absent_frames,
    best_video_pairs,
    refined_scores,
    video_scores,
)
from ovvis_models.trackers.assignment import AssociationRules
from ovvis_models.weights import save_weights

TRACKERS = ("adjacent", "momentum", "top-k")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    rules = AssociationRules(match_threshold=0.0, birth_threshold=0.0, max_tracks=12, max_unseen=2)
    spec = replace(
        CLIPVIS_TINY,
        proposal_input=replace(CLIPVIS_TINY.proposal_input, short_side=96, max_side=160),
        association=replace(CLIPVIS_TINY.association, rules=rules, score_floor=0.0, duplicate_overlap=0.95),
    )
    network = build_network(spec).eval().requires_grad_(False)
    return LoadedModel(spec=spec, network=network, weights_sha256="ab" * 32)


def window(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 48, 80, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_stopped_video_goes_on_as_if_it_had_not_been(model, tracker):
    whole, first = (segmenter_for(model, tracker=tracker) for _ in range(2))
    prediction = whole.predict(window(6))
    results = whole.step(prediction, range(6))
    halves = [whole.predict(window(6)[:3]), whole.predict(window(6)[3:])]
    first.step(halves[0], range(3))
    second = segmenter_for(model, tracker=tracker)
    second.load_state_dict(first.state_dict())
    rest = second.step(halves[1], range(3, 6))
    for one, other in zip(results[3:], rest, strict=True):
        assert one.track_ids.tolist() == other.track_ids.tolist()
    for one, other in zip(whole.finish().tracks, second.finish().tracks, strict=True):
        assert one.object_score == pytest.approx(other.object_score, rel=1e-4)


def test_memory_does_not_grow_with_the_video(model):
    segmenter = segmenter_for(model)
    prediction = segmenter.predict(window(1))
    sizes = []
    for index in range(40):
        segmenter.step(prediction, [index])
        state = segmenter.state_dict()
        sizes.append(sum(value.nbytes for name, value in state.items() if name.startswith("tracker.")))
    assert len(set(sizes[9:])) == 1


def test_the_object_score_is_refined_by_the_mask_quality(model):
    segmenter = segmenter_for(model)
    prediction = segmenter.predict(window(1))
    (result,) = segmenter.step(prediction, [0])
    proposals = prediction.proposals
    refined = refined_scores(proposals.object_logits.sigmoid(), proposals.mask_quality)[0].numpy()
    tracks = segmenter.finish().tracks
    assert tracks
    for track in tracks:
        assert np.abs(refined - track.object_score).min() < 1e-6
        assert track.object_score not in result.scores


def test_a_rollout_tracker_is_not_there(model):
    with pytest.raises(MissingWeightsError, match="top-k"):
        segmenter_for(model, tracker="rollout")


def test_masked_crops_are_of_another_system(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(build_network(CLIPVIS_TINY), path, metadata={"model": CLIPVIS_TINY.name})
    with pytest.raises(UsageError, match="masked-crops"):
        start_engine(path, classifier="masked-crops")
    engine = start_engine(path, device="cpu")
    assert engine.tracker == "top-k"
    assert engine.settings["classifier"] == "mask-pooling"


def test_both_forms_of_the_score_agree_for_a_track_that_does_not_change():
    probs = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]]).expand(4, 2, 3)
    quality, logits = torch.tensor([0.8, 0.5]).expand(4, 2), torch.tensor([2.0, -1.0]).expand(4, 2)
    published = video_scores(probs, mask_quality=quality, object_logits=logits)
    ours = probs[0] ** CLASS_EXPONENT * refined_scores(logits.sigmoid(), quality).mean(dim=0)[:, None]
    assert torch.allclose(published, ours)


def test_only_the_object_score_switches_a_frame_off():
    probs = torch.full((3, 2, 2), 0.5)
    logits = torch.tensor([[4.0, 4.0], [4.0, 4.0], [-12.0, 4.0]])
    scores = video_scores(probs, mask_quality=torch.ones(3, 2), object_logits=logits)
    pairs = best_video_pairs(scores, num_pairs=9)
    absent, _ = absent_frames(pairs, class_probs=probs, object_logits=logits)
    assert pairs.track_index.tolist()[:2] == [1, 1]
    assert absent.tolist() == [[False, False, int(track) == 0] for track in pairs.track_index]
