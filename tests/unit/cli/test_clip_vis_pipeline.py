"""CLIP-VIS through the one pipeline, untrained: record, other words, resuming, constant memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ovvis_cli.errors import UsageError
from ovvis_cli.inference.engine import start_engine
from ovvis_models.errors import MissingWeightsError
from ovvis_models.loading import LoadedModel, segmenter_for
from ovvis_models.scoring.clip_vis import refined_scores
from ovvis_models.systems.clip_vis_models import CLIPVIS_TINY
from ovvis_models.systems.spec import TrackerChoice
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
    network = spec.build().eval().requires_grad_(False)
    return LoadedModel(spec=spec, network=network, weights_sha256="ab" * 32)


def window(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 48, 80, 3), dtype=torch.uint8, generator=generator)


def steps(segmenter, windows, first=0):
    return [segmenter.step(encoded, [index]).frames[0] for index, encoded in enumerate(windows, start=first)]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_stopped_video_goes_on_as_if_it_had_not_been(model, tracker):
    whole, first = (segmenter_for(model, tracker=TrackerChoice(name=tracker)) for _ in range(2))
    results = steps(whole, whole.encode(window(6)))
    steps(first, whole.encode(window(6)[:3]))
    second = segmenter_for(model, tracker=TrackerChoice(name=tracker))
    second.load_state_dict(first.state_dict())
    rest = steps(second, whole.encode(window(6)[3:]), first=3)
    for one, other in zip(results[3:], rest, strict=True):
        assert one.track_ids.tolist() == other.track_ids.tolist()
    for one, other in zip(whole.finish().tracks, second.finish().tracks, strict=True):
        assert one.object_score == pytest.approx(other.object_score, rel=1e-4)


def test_memory_does_not_grow_with_the_video(model):
    segmenter = segmenter_for(model)
    (encoded,) = segmenter.encode(window(1))
    sizes = []
    for index in range(40):
        segmenter.step(encoded, [index])
        state = segmenter.state_dict()
        sizes.append(sum(value.nbytes for name, value in state.items() if name.startswith("tracker.")))
    assert len(set(sizes[9:])) == 1


def test_the_object_score_is_refined_by_the_mask_quality(model):
    segmenter = segmenter_for(model)
    (encoded,) = segmenter.encode(window(1))
    (result,) = segmenter.step(encoded, [0]).frames
    refined = refined_scores(encoded.object_logits.sigmoid(), encoded.mask_quality).numpy()
    tracks = segmenter.finish().tracks
    assert tracks
    for track in tracks:
        assert np.abs(refined - track.object_score).min() < 1e-6
        assert track.object_score not in result.scores


def test_a_rollout_tracker_is_not_there(model):
    with pytest.raises(MissingWeightsError, match="top-k"):
        segmenter_for(model, tracker=TrackerChoice(name="rollout"))


def test_masked_crops_are_of_another_system(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(CLIPVIS_TINY.build(), path, metadata={"model": CLIPVIS_TINY.name})
    with pytest.raises(UsageError, match="masked-crops"):
        start_engine(path, classifier="masked-crops")
    engine = start_engine(path, device="cpu")
    assert engine.tracker.name == "top-k"
    assert engine.settings["classifier"] == "mask-pooling"
