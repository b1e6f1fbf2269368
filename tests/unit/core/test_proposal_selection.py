import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ovvis_models.proposal_selection import BestProposals


def squares(*corners, size=4, edge=16):
    logits = torch.full((len(corners), edge, edge), -5.0)
    for row, (top, left) in enumerate(corners):
        logits[row, top : top + size, left : left + size] = 5.0
    return logits


def choose(logits, scores, **limits):
    selection = BestProposals(**{"score_floor": 0.25, "duplicate_overlap": 0.7} | limits)
    return selection.choose(logits[None], torch.tensor(scores)).tolist()


def test_best_first_above_the_floor():
    assert choose(squares((0, 0), (8, 8), (0, 8)), [0.3, 0.1, 0.9]) == [2, 0]


def test_the_better_of_two_duplicates_stays():
    assert choose(squares((0, 0), (0, 0), (8, 8)), [0.5, 0.8, 0.6]) == [1, 2]


def test_touching_masks_are_no_duplicates():
    logits = squares((0, 0), (0, 2))  # they share half of each
    assert choose(logits, [0.5, 0.8]) == [1, 0]
    assert choose(logits, [0.5, 0.8], duplicate_overlap=0.45) == [1]


def test_a_part_of_a_better_proposal_is_dropped():
    logits = squares((0, 0), (8, 8), size=8)
    logits[1] = -5.0
    logits[1, 2:5, 2:5] = 5.0  # IoU of only 9 / 64 with the whole
    assert choose(logits, [0.9, 0.8]) == [0]
    assert choose(logits, [0.8, 0.9]) == [1], "the better score stays, whichever is larger"


def test_a_duplicate_of_a_dropped_one_stays():
    logits = squares((0, 0), (0, 1), (0, 2), size=6)  # neighbours share 5 / 6, the ends 4 / 6
    assert choose(logits, [0.9, 0.8, 0.7]) == [0, 2]


def test_empty_masks_are_dropped():
    logits = squares((0, 0), (0, 0), size=0)
    logits[1, :2, :2] = 1.0
    assert choose(logits, [0.9, 0.8]) == [1]


def test_nothing_at_all():
    assert choose(squares((0, 0)), [0.1]) == []
    assert choose(torch.zeros((0, 4, 4)), []) == []


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_order_of_proposals_does_not_matter(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.nn.functional.interpolate(
        torch.randn((1, 9, 3, 3), generator=generator), size=(12, 12), mode="bilinear"
    )[0]
    scores = torch.rand(9, generator=generator)
    order = torch.randperm(9, generator=generator)
    selection = BestProposals(score_floor=0.2, duplicate_overlap=0.5)
    plain = selection.choose(logits[None], scores)
    shuffled = selection.choose(logits[order][None], scores[order])
    assert plain.tolist() == order[shuffled].tolist()
