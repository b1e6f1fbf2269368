"""Association of MinVIS and its results, against plain loops."""

import itertools

import pytest
import torch

from ovvis_models.networks.mask2former import BackboneSpec, Mask2FormerSpec, build_mask2former
from ovvis_models.networks.minvis import ClosedSetPrediction, MinVIS, MinVISState, track_masks
from ovvis_models.preprocess import ImageInput, geometry
from ovvis_models.trackers.previous_frame import PreviousFrameTracker, assign, similarity

NUM_FRAMES, NUM_QUERIES, WIDTH, NUM_CLASSES = 5, 6, 32, 3


@pytest.fixture
def system() -> MinVIS:
    torch.manual_seed(0)
    spec = Mask2FormerSpec(
        backbone=BackboneSpec(name="resnet18", arguments={"channels": (8, 16, 24, 32)}, frozen_norm=True),
        width=WIDTH,
        num_heads=4,
        encoder_layers=1,
        encoder_ffn_dim=32,
        num_points=2,
        decoder_layers=3,
        decoder_ffn_dim=32,
        queries="learned",
        num_queries=NUM_QUERIES,
        num_classes=NUM_CLASSES,
    )
    wanted = ImageInput(short_side=64, max_side=96, mean=(0.0,) * 3, std=(255.0,) * 3, resize="pillow")
    return MinVIS(build_mask2former(spec), image_input=wanted).eval()


@pytest.fixture
def prediction() -> ClosedSetPrediction:
    generator = torch.Generator().manual_seed(1)
    return ClosedSetPrediction(
        query_embeds=torch.randn(NUM_FRAMES, NUM_QUERIES, WIDTH, generator=generator),
        mask_logits=torch.randn(NUM_FRAMES, NUM_QUERIES, 16, 24, generator=generator),
        class_logits=torch.randn(NUM_FRAMES, NUM_QUERIES, NUM_CLASSES + 1, generator=generator),
        geometry=geometry((40, 60), short_side=64, max_side=96),
    )


def test_the_assignment_is_the_best_of_all_permutations() -> None:
    torch.manual_seed(2)
    cosines = similarity(torch.randn(5, 4), torch.randn(5, 4))
    rows = torch.arange(5)
    best = max(
        itertools.permutations(range(5)), key=lambda order: float(cosines[rows, torch.tensor(order)].sum())
    )
    assert assign(cosines).tolist() == list(best)


def test_each_frame_is_matched_to_the_permuted_one_before(
    system: MinVIS, prediction: ClosedSetPrediction
) -> None:
    _, query_of_track = system.step(prediction, None)
    assert query_of_track[0].tolist() == list(range(NUM_QUERIES))
    reference = prediction.query_embeds[0]
    for frame in range(1, NUM_FRAMES):
        order = assign(similarity(reference, prediction.query_embeds[frame]))
        assert query_of_track[frame].tolist() == order.tolist()
        reference = prediction.query_embeds[frame][order]
    moved = (query_of_track[1:] != torch.arange(NUM_QUERIES)).any(dim=1)
    assert moved.all()


def test_windows_and_a_stored_state_change_nothing(system: MinVIS, prediction: ClosedSetPrediction) -> None:
    whole, all_orders = system.step(prediction, None)
    parts = [_frames(prediction, 0, 2), _frames(prediction, 2, 5)]
    state, first = system.step(parts[0], None)
    state, second = system.step(parts[1], MinVISState.from_tensors(state.to_tensors()))
    assert torch.equal(torch.cat([first, second]), all_orders)
    assert torch.equal(state.class_logit_sum, whole.class_logit_sum)
    assert state.num_frames == NUM_FRAMES


def test_results_are_of_the_mean_logits_of_tracks(system: MinVIS, prediction: ClosedSetPrediction) -> None:
    state, query_of_track = system.step(prediction, None)
    tracks = torch.stack(
        [logits[order] for logits, order in zip(prediction.class_logits, query_of_track, strict=True)]
    )
    probabilities = tracks.mean(dim=0).softmax(dim=-1)[:, :-1]
    listed = system.finish(state, num_results=4)
    assert listed.class_scores.shape == (4,)
    found = probabilities[listed.query_index, listed.class_index]
    torch.testing.assert_close(listed.class_scores, found)
    assert float(found.min()) >= float(probabilities.flatten().sort(descending=True).values[3]) - 1e-6
    assert system.finish(state).class_scores.shape == (10,)


def test_masks_follow_their_track(system: MinVIS, prediction: ClosedSetPrediction) -> None:
    _, query_of_track = system.step(prediction, None)
    masks = track_masks(prediction, query_of_track, torch.tensor([4, 1]))
    assert masks.shape == (NUM_FRAMES, 2, 40, 60)
    query = int(query_of_track[3, 1])
    alone = track_masks(_frames(prediction, 3, 4), query_of_track[3:4], torch.tensor([1]))
    assert torch.equal(masks[3, 1], alone[0, 0])
    straight = track_masks(_frames(prediction, 3, 4), torch.arange(6)[None], torch.tensor([query]))
    assert torch.equal(straight[0, 0], masks[3, 1])


def test_the_network_is_run_on_raw_frames(system: MinVIS) -> None:
    frames = torch.randint(0, 256, (2, 40, 60, 3), dtype=torch.uint8)
    with torch.inference_mode():
        found = system.predict(frames)
        alone = system.predict(frames[1:])
    assert found.class_logits.shape == (2, NUM_QUERIES, NUM_CLASSES + 1)
    assert found.mask_logits.shape == (2, NUM_QUERIES, 16, 24)
    torch.testing.assert_close(found.query_embeds[1:], alone.query_embeds, rtol=1e-3, atol=1e-4)


def test_one_frame_is_a_video(system: MinVIS, prediction: ClosedSetPrediction) -> None:
    single = _frames(prediction, 0, 1)
    state, orders = system.step(single, None)
    assert orders.tolist() == [list(range(NUM_QUERIES))]
    assert torch.equal(state.class_logits, single.class_logits[0])


def test_another_number_of_proposals_is_refused() -> None:
    tracker = PreviousFrameTracker()
    state, ids = tracker.step(tracker.initial_state(4, torch.device("cpu")), torch.randn(3, 4), torch.ones(3))
    assert ids.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="2 proposals for 3 tracks"):
        tracker.step(state, torch.randn(2, 4), torch.ones(2))


def _frames(prediction: ClosedSetPrediction, start: int, end: int) -> ClosedSetPrediction:
    return ClosedSetPrediction(
        query_embeds=prediction.query_embeds[start:end],
        mask_logits=prediction.mask_logits[start:end],
        class_logits=prediction.class_logits[start:end],
        geometry=prediction.geometry,
    )
