"""Which name a track gets, and when it gets none."""

import pytest
import torch

from ovvis_cli.labelling.class_query import label_tracks

NAMES = ("cat", "dog", "bird")


def label(tokens, **changes):
    given = {
        "object_scores": torch.full((len(tokens),), 0.5),
        "class_embeds": torch.eye(5),
        "num_asked": 3,
        "logit_scale": 100.0,
        "names": NAMES,
    }
    return label_tracks(torch.tensor(tokens), **(given | changes))


def test_score_is_probability_times_object_score():
    tokens, scale = torch.tensor([[0.6, 0.8, 0.0, 0.0, 0.0]]), 3.0
    (answer,) = label(tokens.tolist(), logit_scale=scale)
    probabilities = (tokens[0] * scale).softmax(0)
    assert answer.label == "dog"
    assert answer.score == pytest.approx(0.5 * float(probabilities[1]))
    assert [entry.label for entry in answer.runner_up] == ["cat", "bird"]
    assert answer.runner_up[0].score == pytest.approx(0.5 * float(probabilities[0]))


def test_a_distractor_wins():
    (answer,) = label([[0.6, 0.0, 0.0, 0.8, 0.0]])
    assert answer.label is None
    assert answer.score is None
    assert answer.runner_up[0].label == "cat"


def test_no_distractors_always_names():
    (answer,) = label([[0.6, 0.0, 0.0, 0.8, 0.0]], class_embeds=torch.eye(5)[:3])
    assert answer.label == "cat"


def test_threshold_and_most_tracks():
    tokens = [[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0], [0, 0, 1.0, 0, 0], [0, 0, 0, 1.0, 0]]
    scores = torch.tensor([0.3, 0.9, 0.6, 1.0])
    found = [answer.label for answer in label(tokens, object_scores=scores)]
    assert found == ["cat", "dog", "bird", None]
    best = [answer.label for answer in label(tokens, object_scores=scores, max_tracks=2)]
    assert best == [None, "dog", "bird", None]
    above = [answer.label for answer in label(tokens, object_scores=scores, score_threshold=0.7)]
    assert above == [None, "dog", None, None]


def test_at_most_three_runner_up():
    (answer,) = label(
        [[0.2] * 5], class_embeds=torch.eye(5), num_asked=5, names=tuple("abcde"), logit_scale=1.0
    )
    assert len(answer.runner_up) == 3


def test_no_tracks():
    assert (
        label_tracks(
            torch.zeros(0, 5),
            object_scores=torch.zeros(0),
            class_embeds=torch.eye(5),
            num_asked=3,
            logit_scale=1.0,
            names=NAMES,
        )
        == []
    )


def test_names_must_fit():
    with pytest.raises(ValueError, match="3 asked classes, 2 names"):
        label([[1.0, 0, 0, 0, 0]], names=("a", "b"))
