"""MinVIS in the segmenter that all systems share, against plain loops."""

import itertools

import pytest
import torch

from ovvis_models.association import MatchingAssociation
from ovvis_models.networks.mask2former import BackboneSpec, Mask2FormerSpec, build_mask2former
from ovvis_models.networks.minvis import MinVIS
from ovvis_models.preprocess import ImageInput, geometry, masks_to_original
from ovvis_models.proposal_selection import ALL_PROPOSALS
from ovvis_models.scoring.track_table import PlainMean
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.structures import FramePredictions, FrameResult, Proposals
from ovvis_models.trackers.adjacent import AdjacentTracker
from ovvis_models.trackers.assignment import FIXED_SLOTS, assign, cosines

NUM_FRAMES, NUM_QUERIES, WIDTH, NUM_CLASSES = 5, 6, 32, 3


@pytest.fixture
def system() -> MinVIS:
    torch.manual_seed(0)
    spec = Mask2FormerSpec(
        backbone=BackboneSpec(name="resnet18", arguments={"channels": (8, 16, 24, 32)}, norm="frozen"),
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
def prediction() -> FramePredictions:
    generator = torch.Generator().manual_seed(1)
    return FramePredictions(
        proposals=Proposals(
            query_embeds=torch.randn(NUM_FRAMES, NUM_QUERIES, WIDTH, generator=generator),
            mask_logits=torch.randn(NUM_FRAMES, NUM_QUERIES, 16, 24, generator=generator),
            object_logits=torch.randn(NUM_FRAMES, NUM_QUERIES, generator=generator),
        ),
        instance_tokens=torch.randn(NUM_FRAMES, NUM_QUERIES, NUM_CLASSES + 1, generator=generator),
        geometry=geometry((40, 60), short_side=64, max_side=96),
    )


def test_the_assignment_is_the_best_of_all_permutations() -> None:
    torch.manual_seed(2)
    found = cosines(torch.randn(5, 4), torch.randn(5, 4))
    rows = torch.arange(5)
    best = max(
        itertools.permutations(range(5)), key=lambda order: float(found[rows, torch.tensor(order)].sum())
    )
    assert assign(found).tolist() == list(best)


def test_a_track_has_the_mean_logits_and_the_masks_of_its_queries(
    system: MinVIS, prediction: FramePredictions
) -> None:
    segmenter = _segmenter(system)
    results = _step(segmenter, prediction)
    orders = _orders(prediction)
    assert (orders[1:] != torch.arange(NUM_QUERIES)).any(dim=1).all()  # or this would prove nothing
    logits = [rows[order] for rows, order in zip(prediction.instance_tokens, orders, strict=True)]
    tracks = segmenter.finish().tracks
    assert [track.track_id for track in tracks] == list(range(1, NUM_QUERIES + 1))
    found = torch.stack([torch.from_numpy(track.instance_token) for track in tracks])
    torch.testing.assert_close(found, torch.stack(logits).mean(dim=0))
    assert {(track.object_score, track.num_frames) for track in tracks} == {(1.0, NUM_FRAMES)}
    masks = masks_to_original(prediction.proposals.mask_logits[3, orders[3]], prediction.geometry)
    assert torch.equal(torch.from_numpy(results[3].masks), masks)


def test_a_query_without_a_mask_counts_in_the_mean_but_is_not_shown(
    system: MinVIS, prediction: FramePredictions
) -> None:
    prediction.proposals.mask_logits[2] = -1.0
    segmenter = _segmenter(system)
    results = _step(segmenter, prediction)
    assert results[2].track_ids.size == 0
    assert {track.num_frames for track in segmenter.finish().tracks} == {NUM_FRAMES}


def test_windows_and_a_stored_state_change_nothing(system: MinVIS, prediction: FramePredictions) -> None:
    whole = _segmenter(system)
    _step(whole, prediction)
    first, second = _segmenter(system), _segmenter(system)
    _step(first, _frames(prediction, 0, 2))
    second.load_state_dict(first.state_dict())
    _step(second, _frames(prediction, 2, NUM_FRAMES), 2)
    for ours, theirs in zip(second.finish().tracks, whole.finish().tracks, strict=True):
        assert ours.instance_token.tolist() == theirs.instance_token.tolist()


def test_the_network_is_run_on_raw_frames(system: MinVIS) -> None:
    frames = torch.randint(0, 256, (2, 40, 60, 3), dtype=torch.uint8)
    with torch.inference_mode():
        found = system.predict(frames)
        alone = system.predict(frames[1:])
    assert found.instance_tokens.shape == (2, NUM_QUERIES, NUM_CLASSES + 1)
    assert found.proposals.mask_logits.shape == (2, NUM_QUERIES, 16, 24)
    nothing = found.instance_tokens.softmax(dim=-1)[..., -1]
    torch.testing.assert_close(found.proposals.object_logits.sigmoid(), 1 - nothing)
    ours, theirs = found.proposals.query_embeds[1:], alone.proposals.query_embeds
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_another_number_of_proposals_is_refused() -> None:
    tracker = AdjacentTracker(FIXED_SLOTS)
    state, ids = tracker.step(tracker.initial_state(4, torch.device("cpu")), torch.randn(3, 4), torch.ones(3))
    assert ids.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="2 proposals for 3 tracks"):
        tracker.step(state, torch.randn(2, 4), torch.ones(2))


def _segmenter(system: MinVIS) -> VideoSegmenter:
    association = MatchingAssociation(
        tracker=AdjacentTracker(FIXED_SLOTS), selection=ALL_PROPOSALS, tracked_by="query"
    )
    return VideoSegmenter(system, association, token_mean=PlainMean())


def _step(segmenter: VideoSegmenter, prediction: FramePredictions, first: int = 0) -> list[FrameResult]:
    windows = enumerate(prediction.windows(), start=first)
    return [segmenter.step(window, [index]).frames[0] for index, window in windows]


def _orders(prediction: FramePredictions) -> torch.Tensor:
    """The query of every track in each frame: matched to the permuted frame before."""
    embeds = prediction.proposals.query_embeds
    orders, reference = [torch.arange(NUM_QUERIES)], embeds[0]
    for queries in embeds[1:]:
        orders.append(assign(cosines(reference, queries)))
        reference = queries[orders[-1]]
    return torch.stack(orders)


def _frames(prediction: FramePredictions, start: int, end: int) -> FramePredictions:
    chosen, proposals = slice(start, end), prediction.proposals
    return FramePredictions(
        proposals=Proposals(
            query_embeds=proposals.query_embeds[chosen],
            mask_logits=proposals.mask_logits[chosen],
            object_logits=proposals.object_logits[chosen],
        ),
        instance_tokens=prediction.instance_tokens[chosen],
        geometry=prediction.geometry,
    )
