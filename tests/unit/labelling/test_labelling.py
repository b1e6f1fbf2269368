"""Which name a track gets, and when it gets none."""

import pytest
import torch

from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.labelling.class_rows import ClassRows
from ovvis_cli.record.schema import VocabularyInfo

NAMES = ("cat", "dog", "bird")


def label(tokens, *, object_scores=None, embeds=None, logit_scale=100.0, names=NAMES, **rules):
    tokens = torch.tensor(tokens)
    embeds = torch.eye(5) if embeds is None else embeds
    vocabulary = VocabularyInfo(
        names=names,
        category_ids=tuple(range(1, len(names) + 1)),
        distractors=len(embeds) > len(names),
        score_threshold=rules.get("score_threshold", 0.0),
        max_tracks=rules.get("max_tracks"),
    )
    query = ClassQuery(vocabulary=vocabulary, rows=ClassRows(embeds=embeds, logit_scale=logit_scale))
    return query.label(tokens, torch.full((len(tokens),), 0.5) if object_scores is None else object_scores)


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
    (answer,) = label([[0.6, 0.0, 0.0, 0.8, 0.0]], embeds=torch.eye(5)[:3])
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
    (answer,) = label([[0.2] * 5], embeds=torch.eye(5), names=tuple("abcde"), logit_scale=1.0)
    assert len(answer.runner_up) == 3


def test_no_tracks():
    assert label(torch.zeros(0, 5).tolist()) == []


def test_the_best_synonym_of_a_class_counts():
    rows = ClassRows(embeds=torch.eye(5), logit_scale=1.0, synonyms=(2, 1))
    logits = torch.tensor([[1.0, 3.0, 2.0, 5.0, 4.0]])
    assert rows.per_name(logits).tolist() == [[3.0, 2.0, 5.0, 4.0]]
