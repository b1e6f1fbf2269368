from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ovvis_models.association import MatchingAssociation
from ovvis_models.preprocess import geometry
from ovvis_models.proposal_selection import BestProposals
from ovvis_models.scoring.track_table import ScoreWeighted
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.structures import FramePredictions, Proposals
from ovvis_models.trackers.adjacent import AdjacentTracker
from ovvis_models.trackers.assignment import AssociationRules
from ovvis_models.trackers.rollout import RolloutTracker

QUERIES, WIDTH, EMBED = 6, 8, 5
FRAME_HW = (40, 48)
SHAPE = geometry(FRAME_HW, short_side=64, max_side=128, divisor=32)


class FilmNetwork:
    """Stands in for InstFormer: a film of moving bars, whose proposals are read off the first pixel.

    The frame tells which objects are visible; proposals come in an order that depends on the frame's seed.
    """

    def __init__(self, *, shuffle=True):
        generator = torch.Generator().manual_seed(5)
        self.looks = torch.linalg.qr(torch.randn((WIDTH, WIDTH), generator=generator))[0][:QUERIES]
        self.tokens = torch.nn.functional.normalize(torch.randn((QUERIES, EMBED), generator=generator), dim=1)
        self.shuffle = shuffle

    def encode(self, frames):
        parts = [self.frame(frame) for frame in frames]
        stacked = [torch.stack(column) for column in zip(*parts, strict=True)]
        proposals = Proposals(query_embeds=stacked[0], mask_logits=stacked[1], object_logits=stacked[2])
        predictions = FramePredictions(proposals=proposals, instance_tokens=stacked[3], geometry=SHAPE)
        return predictions.windows()

    def frame(self, frame):
        visible, index, seed = frame[0, 0].tolist()
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((QUERIES, WIDTH + EMBED), generator=generator) * 0.05
        logits = torch.full((QUERIES, SHAPE.padded_hw[0] // 4, SHAPE.padded_hw[1] // 4), -6.0)
        scores = torch.full((QUERIES,), -4.0)
        for query in range(QUERIES):
            if visible >> query & 1:
                logits[query, 1 + index % 5 : 6 + index % 5, 3 * query : 3 * query + 3] = 6.0
                scores[query] = 1.0 + 0.2 * query
        order = torch.randperm(QUERIES, generator=generator) if self.shuffle else torch.arange(QUERIES)
        looks = (self.looks + noise[:, :WIDTH]) * 10
        tokens = torch.nn.functional.normalize(self.tokens + noise[:, WIDTH:], dim=1)
        return looks[order], logits[order], scores[order], tokens[order]


def film(visible):
    """Frames of FilmNetwork; `visible` is a bit mask of objects for each frame."""
    frames = torch.zeros((len(visible), *FRAME_HW, 3), dtype=torch.uint8)
    for index, bits in enumerate(visible):
        frames[index, 0, 0] = torch.tensor([bits, index % 256, (index * 7) % 256], dtype=torch.uint8)
    return frames


def rollout(**rules):
    torch.manual_seed(3)
    tracker = RolloutTracker(WIDTH + EMBED, hidden_dim=4, rules=AssociationRules(**rules))
    torch.nn.init.normal_(tracker.to_change.weight, std=0.01)
    return tracker.eval()


def segmenter_of(tracker, network=None):
    selection = BestProposals(score_floor=0.25, duplicate_overlap=0.7)
    association = MatchingAssociation(tracker=tracker, selection=selection)
    return VideoSegmenter(network or FilmNetwork(), association, token_mean=ScoreWeighted())


def run(segmenter, frames, *, batch_size=4, first=0):
    results = []
    for start in range(0, len(frames), batch_size):
        batch = frames[start : start + batch_size]
        indices = range(first + start, first + start + len(batch))
        for window, index in zip(segmenter.encode(batch), indices, strict=True):
            results += segmenter.step(window, [index]).frames
    return results


def ids(results):
    return [result.track_ids.tolist() for result in results]


def assert_same(results, others):
    assert len(results) == len(others)
    for one, other in zip(results, others, strict=True):
        assert one.frame_index == other.frame_index
        assert np.array_equal(one.track_ids, other.track_ids)
        assert np.array_equal(one.scores, other.scores)
        assert np.array_equal(one.masks, other.masks)


def assert_same_video(video, other):
    assert video.num_frames == other.num_frames
    assert len(video.tracks) == len(other.tracks)
    for one, two in zip(video.tracks, other.tracks, strict=True):
        assert np.array_equal(one.instance_token, two.instance_token)
        for name in ("track_id", "object_score", "first_frame", "last_frame", "num_frames"):
            assert getattr(one, name) == getattr(two, name)


VISIBLE = [0b111] * 3 + [0b101] * 3 + [0b111] * 2 + [0b1111] * 3 + [0b1000]


@pytest.mark.parametrize("tracker", [AdjacentTracker(), rollout()], ids=["adjacent", "rollout"])
def test_a_film_with_occlusion_and_a_newcomer(tracker):
    segmenter = segmenter_of(tracker)
    results = run(segmenter, film(VISIBLE))
    # ids go by score in the first frame, where object 2 is the surest
    assert ids(results) == [[1, 2, 3]] * 3 + [[1, 3]] * 3 + [[1, 2, 3]] * 2 + [[1, 2, 3, 4]] * 3 + [[4]]
    assert [result.frame_index for result in results] == list(range(12))
    assert results[0].masks.shape == (3, *FRAME_HW)
    assert results[0].masks.dtype == np.bool_
    assert results[0].masks.any(axis=(1, 2)).all()

    video = segmenter.finish()
    assert video.num_frames == 12
    spans = {t.track_id: (t.first_frame, t.last_frame, t.num_frames) for t in video.tracks}
    assert spans == {1: (0, 10, 11), 2: (0, 10, 8), 3: (0, 10, 11), 4: (8, 11, 4)}
    assert all(np.linalg.norm(t.instance_token) == pytest.approx(1, abs=1e-5) for t in video.tracks)
    assert video.tracks[0].object_score == pytest.approx(1 / (1 + np.exp(-1.4)), abs=1e-4)
    network_token = FilmNetwork().tokens[2].numpy()
    assert float(video.tracks[0].instance_token @ network_token) > 0.99


def test_the_order_of_proposals_changes_nothing():
    frames = film(VISIBLE)
    plain, shuffled = (segmenter_of(rollout(), FilmNetwork(shuffle=flag)) for flag in (False, True))
    assert_same(run(plain, frames), run(shuffled, frames))


@given(batch_size=st.integers(1, 13))
@settings(max_examples=6, deadline=None)
def test_the_batch_size_changes_nothing(batch_size):
    frames = film(VISIBLE)
    one, other = (segmenter_of(rollout()) for _ in range(2))
    assert_same(run(one, frames, batch_size=1), run(other, frames, batch_size=batch_size))
    assert_same_video(one.finish(), other.finish())


@pytest.mark.parametrize("stop", [0, 1, 4, 7, 12])
def test_a_resumed_run_is_exactly_the_uninterrupted_one(stop):
    frames = film(VISIBLE)
    whole = segmenter_of(rollout())
    expected = run(whole, frames, batch_size=1)

    first = segmenter_of(rollout())
    results = run(first, frames[:stop], batch_size=1)
    state = first.state_dict()
    run(first, frames[stop:], batch_size=1)  # going on does not change a state that was taken
    second = segmenter_of(rollout())
    second.load_state_dict(state)
    results += run(second, frames[stop:], batch_size=1, first=stop)

    assert_same(results, expected)
    assert_same_video(second.finish(), whole.finish())
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in second.state_dict().items())
    assert all(isinstance(value, torch.Tensor) for value in state.values())


def test_one_frame():
    segmenter = segmenter_of(rollout())
    assert ids(run(segmenter, film([0b11]))) == [[1, 2]]
    assert [track.num_frames for track in segmenter.finish().tracks] == [1, 1]


def test_no_frames_and_no_proposals():
    segmenter = segmenter_of(rollout())
    assert segmenter.finish().tracks == ()
    results = run(segmenter, film([0, 0]))
    assert ids(results) == [[], []]
    assert results[0].masks.shape == (0, *FRAME_HW)
    assert segmenter.finish().num_frames == 2
    assert segmenter.finish().tracks == ()


def test_indices_may_have_gaps_and_must_match_the_frames():
    segmenter = segmenter_of(rollout())
    windows = segmenter.encode(film([1, 1, 1]))
    with pytest.raises(ValueError, match="2 frame indices for a window of 1"):
        segmenter.step(windows[0], [0, 1])
    results = [segmenter.step(*pair).frames[0] for pair in zip(windows, ([4], [6], [9]), strict=True)]
    assert [result.frame_index for result in results] == [4, 6, 9]
    assert [(track.first_frame, track.last_frame) for track in segmenter.finish().tracks] == [(4, 9)]


def test_state_does_not_grow_with_the_video():
    segmenter = segmenter_of(rollout(max_unseen=3))
    frames = film(VISIBLE)

    def num_floats():
        return sum(value.numel() for value in segmenter.state_dict().values())

    run(segmenter, frames)
    early = num_floats()
    for round_number in range(1, 6):
        run(segmenter, frames[6:8], first=12 * round_number)
    assert num_floats() <= early


def test_masks_that_vanish_at_the_frames_size_are_left_out():
    segmenter = segmenter_of(AdjacentTracker())
    (window,) = segmenter.encode(film([0b1]))
    tiny = geometry((1, 1), short_side=64, max_side=128, divisor=32)
    logits = torch.full((1, QUERIES, 16, 16), -6.0)
    logits[:, :, 0, 0] = 6.0
    (result,) = segmenter.step(replace(window, mask_logits=logits, geometry=tiny), [0]).frames
    assert result.track_ids.shape == (0,)
    assert result.masks.shape == (0, 1, 1)
    assert segmenter.finish().tracks == ()
