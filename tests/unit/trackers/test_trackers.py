from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from ovvis_models.trackers.adjacent import AdjacentTracker
from ovvis_models.trackers.assignment import AssociationRules, cosines, match
from ovvis_models.trackers.rollout import RolloutTracker
from ovvis_models.trackers.state import TrackState
from ovvis_models.trackers.top_k import TopKTracker
from ovvis_models.trackers.tracker import tracking_tokens

FEATURES = 12
CPU = torch.device("cpu")


def objects(count, seed=0):
    """Unlike tokens: orthonormal rows."""
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn((FEATURES, FEATURES), generator=generator))[0][:count].contiguous()


def trackers(**rules):
    torch.manual_seed(0)
    trained = RolloutTracker(FEATURES, hidden_dim=5, rules=AssociationRules(**rules))
    torch.nn.init.normal_(trained.to_change.weight, std=0.02)
    return [
        AdjacentTracker(AssociationRules(**rules)),
        trained.requires_grad_(False),
        AdjacentTracker(AssociationRules(**rules), momentum=0.7),
        TopKTracker(AssociationRules(**rules), num_frames=4, num_chosen=2),
    ]


@pytest.fixture(params=range(4), ids=["adjacent", "rollout", "momentum", "top-k"])
def kind(request):
    return request.param


def run(tracker, frames):
    """Track ids of every frame, given (tokens, scores) of each."""
    state = tracker.initial_state(FEATURES, CPU)
    ids = []
    for tokens, scores in frames:
        state, track_ids = tracker.step(state, tokens, scores)
        ids.append(track_ids.tolist())
    return ids, state


def sure(tokens):
    return tokens, torch.full((tokens.shape[0],), 0.9)


def test_identity_survives_permuted_and_noisy_proposals(kind):
    tokens = objects(4)
    generator = torch.Generator().manual_seed(1)
    frames, expected = [], []
    for index in range(8):
        order = torch.randperm(4, generator=generator) if index else torch.arange(4)
        noise = 0.08 * torch.randn((4, FEATURES), generator=generator)
        frames.append((tokens[order] + noise, torch.tensor([0.9, 0.8, 0.7, 0.6])[order]))
        expected.append((order + 1).tolist())
    assert run(trackers()[kind], frames)[0] == expected


def test_an_occluded_object_keeps_its_track(kind):
    tokens = objects(3)
    frames = [sure(tokens)] + [sure(tokens[:2])] * 5 + [sure(tokens)]
    ids, _ = run(trackers(max_unseen=5)[kind], frames)
    assert ids[-1] == [1, 2, 3]


def test_unseen_slots_keep_their_state(kind):
    tracker = trackers()[kind]
    tokens = objects(3)
    _, before = run(tracker, [sure(tokens)])
    after, _ = tracker.step(before, *sure(tokens[:1]))
    assert torch.equal(after.expected_tokens[1:], before.expected_tokens[1:])
    assert torch.equal(after.hidden[1:], before.hidden[1:])
    assert after.frames_unseen.tolist() == [0, 1, 1]


def test_a_track_unseen_for_too_long_ends_and_its_id_is_not_used_again(kind):
    tokens = objects(2)
    frames = [sure(tokens)] + [sure(tokens[:1])] * 6 + [sure(tokens)]
    ids, state = run(trackers(max_unseen=5)[kind], frames)
    assert ids[-1] == [1, 3]
    assert state.num_slots == 2


def test_an_unlike_object_starts_a_new_track(kind):
    tokens = objects(4)
    ids, _ = run(trackers()[kind], [sure(tokens[:2]), sure(tokens[[1, 3]]), sure(tokens[[0, 3]])])
    assert ids == [[1, 2], [2, 3], [1, 3]]


def test_doubtful_proposals_continue_tracks_but_start_none(kind):
    tokens = objects(2)
    doubtful = torch.tensor([0.3, 0.3])
    ids, _ = run(trackers(birth_threshold=0.5)[kind], [sure(tokens[:1]), (tokens, doubtful)])
    assert ids == [[1], [1, -1]]


def test_frames_without_proposals(kind):
    nothing = (torch.zeros((0, FEATURES)), torch.zeros(0))
    ids, state = run(trackers()[kind], [nothing, nothing, sure(objects(2)), nothing, sure(objects(2))])
    assert ids == [[], [], [1, 2], [], [1, 2]]
    assert state.next_track_id == 3


def test_room_is_limited(kind):
    tokens = objects(6)
    scores = torch.tensor([0.6, 0.9, 0.7, 0.8, 0.95, 0.65])
    ids, state = run(trackers(max_tracks=3)[kind], [(tokens, scores)])
    assert ids == [[-1, 2, -1, 3, 1, -1]]  # the best three, by descending score
    assert state.num_slots == 3


def test_new_tracks_take_the_room_of_the_longest_unseen(kind):
    tokens = objects(6)
    tracker = trackers(max_tracks=3)[kind]
    frames = [sure(tokens[:3]), sure(tokens[[0, 2]]), sure(tokens[[0]]), sure(tokens[[0, 4]])]
    ids, state = run(tracker, frames)
    assert ids[-1] == [1, 4]
    assert state.track_ids.tolist() == [1, 3, 4]  # track 2 was unseen for longest


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_proposals_changes_nothing(seed):
    generator = torch.Generator().manual_seed(seed)
    for tracker in trackers(match_threshold=0.3, max_tracks=6, max_unseen=1):
        plain, shuffled = (tracker.initial_state(FEATURES, CPU) for _ in range(2))
        for _ in range(4):
            count = int(torch.randint(0, 8, (), generator=generator))
            tokens = torch.randn((count, FEATURES), generator=generator)
            scores = torch.rand(count, generator=generator)
            order = torch.randperm(count, generator=generator)
            plain, ids = tracker.step(plain, tokens, scores)
            shuffled, other_ids = tracker.step(shuffled, tokens[order], scores[order])
            assert ids[order].tolist() == other_ids.tolist()
            assert plain.track_ids.tolist() == shuffled.track_ids.tolist()
            assert plain.num_slots <= 6
            kept = ids[ids >= 0]
            assert len(set(kept.tolist())) == len(kept)


def test_state_survives_serialisation(kind):
    tracker = trackers()[kind]
    _, state = run(tracker, [sure(objects(3)), sure(objects(2))])
    restored = TrackState.from_tensors(state.to_tensors())
    for tokens in (objects(3), objects(4, seed=3)):
        state, ids = tracker.step(state, *sure(tokens))
        restored, other_ids = tracker.step(restored, *sure(tokens))
        assert ids.tolist() == other_ids.tolist()
        assert all(
            torch.equal(value, restored.to_tensors()[key]) for key, value in state.to_tensors().items()
        )


def test_an_untrained_rollout_is_the_adjacent_tracker():
    rollout = RolloutTracker(FEATURES, hidden_dim=4)
    tokens = torch.randn((3, FEATURES))
    expected, hidden = rollout.predict(tokens, torch.zeros((3, 4)))
    assert torch.equal(expected, tokens)
    assert hidden.abs().sum() > 0


def test_rollout_predictions_carry_gradients_through_time():
    rollout = RolloutTracker(FEATURES, hidden_dim=4)
    torch.nn.init.normal_(rollout.to_change.weight)
    first, hidden = rollout.predict(torch.randn((2, FEATURES)), torch.zeros((2, 4)))
    second, _ = rollout.predict(first, hidden)
    second.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in rollout.parameters())


def test_rollout_refuses_tokens_of_another_width():
    with pytest.raises(ValueError, match="12 features, got 7"):
        RolloutTracker(FEATURES, hidden_dim=4).initial_state(7, CPU)


def test_one_sure_match_beats_two_doubtful_ones():
    """0.7 and a birth rather than 0.52 + 0.52, which an assignment by plain similarity would take."""
    slots = torch.eye(4)[:2]
    tokens = torch.tensor([[0.70, 0.52], [0.52, -0.20]])  # cosines to the slots
    rest = (1 - tokens.square().sum(dim=1)).sqrt()
    tokens = torch.cat([tokens, torch.diag(rest)], dim=1)
    assert match(cosines(slots, tokens), threshold=0.5).tolist() == [0, -1]
    assert match(cosines(slots, tokens), threshold=-1.0).tolist() == [1, 0]


def test_both_parts_of_a_tracking_token_weigh_the_same():
    queries, tokens = torch.randn((5, 8)) * 40, torch.randn((5, 4)) * 0.01
    joined = tracking_tokens(queries, tokens)
    assert torch.allclose(joined.norm(dim=1), torch.ones(5))
    assert torch.allclose(joined[:, :8].norm(dim=1), joined[:, 8:].norm(dim=1))


@pytest.mark.parametrize(
    "wrong", [{"match_threshold": 1.5}, {"birth_threshold": -0.1}, {"max_tracks": 0}, {"max_unseen": -1}]
)
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AssociationRules(**wrong)


def test_momentum_is_a_running_mean_of_looks():
    tracker = AdjacentTracker(momentum=0.7)
    first, second = objects(1), objects(1) + 0.3 * objects(2)[1:]
    _, state = run(tracker, [sure(first), sure(second)])
    assert torch.allclose(state.expected_tokens, 0.7 * second + 0.3 * first)
    with pytest.raises(ValueError, match="momentum"):
        AdjacentTracker(momentum=0.0)


def all_go_on(num_frames, num_chosen):
    rules = AssociationRules(match_threshold=-1.0, birth_threshold=0.0, max_unseen=0)
    return TopKTracker(rules, num_frames=num_frames, num_chosen=num_chosen)


@given(seed=st.integers(0, 10_000), num_frames=st.integers(1, 5), data=st.data())
@settings(max_examples=25, deadline=None)
def test_top_k_is_the_published_matching_where_every_track_goes_on(seed, num_frames, data):
    """Against the published steps, written down plainly."""
    num_chosen = data.draw(st.integers(1, num_frames))
    generator = torch.Generator().manual_seed(seed)
    tracker = all_go_on(num_frames, num_chosen)
    state, memory = tracker.initial_state(FEATURES, CPU), []
    for _ in range(8):
        tokens = torch.randn((6, FEATURES), generator=generator)
        state, ids = tracker.step(state, tokens, torch.ones(6))
        order = published_order(memory, tokens.double(), num_chosen=num_chosen)
        assert ids.argsort().tolist() == order.tolist()
        memory = [*memory, tokens.double()[order]][-num_frames:]


def published_order(memory, tokens, *, num_chosen):
    """The query of each track."""
    if not memory:
        return torch.arange(len(tokens))
    costs = [1 - cosines(tracks, tokens) for tracks in memory]
    pairs = [linear_sum_assignment(cost.numpy()) for cost in costs]
    totals = [float(cost[pair].sum()) for cost, pair in zip(costs, pairs, strict=True)]
    best = sorted(range(len(memory)), key=totals.__getitem__)
    if len(memory) < num_chosen:
        return torch.from_numpy(pairs[best[0]][1])
    mean = sum((place + 1) * costs[place] for place in best[:num_chosen]) / num_chosen
    return torch.from_numpy(linear_sum_assignment(mean.numpy())[1])


def test_top_k_trusts_the_frames_that_agree_rather_than_the_latest():
    """In the last frame two objects looked like each other's past; the frames before tell them apart."""
    a, b = objects(2)
    swapped = torch.stack([0.6 * a + 0.8 * b, 0.8 * a + 0.6 * b])
    frames = [sure(torch.stack([a, b]))] * 4
    rules = {"match_threshold": 0.3}
    latest, _ = run(AdjacentTracker(AssociationRules(**rules)), frames)
    assert latest[-1] == [1, 2]
    tracker = TopKTracker(AssociationRules(**rules), num_frames=4, num_chosen=2)
    _, state = run(tracker, frames)
    confused = replace(state, memory=state.memory.clone(), expected_tokens=swapped)
    confused.memory[:, -1] = swapped
    _, by_memory = tracker.step(confused, *sure(torch.stack([a, b])))
    _, by_last = AdjacentTracker(AssociationRules(**rules)).step(confused, *sure(torch.stack([a, b])))
    assert by_memory.tolist() == [1, 2]
    assert by_last.tolist() == [2, 1]


def test_top_k_knows_a_track_that_was_in_none_of_the_chosen_frames():
    tokens = objects(3)
    frames = [sure(tokens)] + [sure(tokens[:2])] * 6 + [sure(tokens)]
    ids, _ = run(TopKTracker(num_frames=3, num_chosen=2), frames)
    assert ids[-1] == [1, 2, 3]


@pytest.mark.parametrize("num_frames", [1, 9])
def test_top_k_keeps_tokens_of_so_many_frames_and_nothing_else(num_frames):
    tracker = TopKTracker(num_frames=num_frames, num_chosen=1)
    state, sizes = tracker.initial_state(FEATURES, CPU), []
    for _ in range(60):
        state, _ = tracker.step(state, *sure(objects(5)))
        sizes.append(sum(x.untyped_storage().nbytes() for x in state.to_tensors().values()))
    assert len(set(sizes[num_frames:])) == 1
    per_track = (num_frames + 1) * FEATURES * 4 + num_frames + 2 * 8  # memory, last look, flags, id and age
    assert sizes[-1] == 5 * per_track + 8


def test_impossible_memories_are_refused():
    with pytest.raises(ValueError, match=r"1\.\.4"):
        TopKTracker(num_frames=4, num_chosen=5)
