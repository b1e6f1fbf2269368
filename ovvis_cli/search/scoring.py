"""Scores of many tracks for a few names, in the time of a few rows of the vocabulary.

The score is that of `ClassQuery.scores`: the probability of a name among all names and distractors, to the
power of the class exponent, times the object score. The sum over the distractors costs most, and hardly
changes from question to question: only distractors that overlap with the names are left out. So the sum over
a fixed list of distractors is stored for each track (`background`), and a question only corrects it. The best
tracks are then scored once more in full, so that shown scores are exact.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

_CHUNK: Final = 1024  # tracks at a time, so that their tokens stay in the processor's cache
_LARGEST_SHARE: Final = math.log(0.9)  # largest part of a sum in single precision to be taken away from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Rows that the tokens of one model are compared with, for one list of names."""

    asked: Float[np.ndarray, "A D"]  # rows of the names, one name after the other
    counts: tuple[int, ...]  # number of rows of each name; 0 if the model does not know it
    distractors: Float[np.ndarray, "R D"]
    logit_scale: float
    class_exponent: float
    adds_up: bool  # sum the probabilities of a name's rows, else use its best row
    exclusive: bool  # an instance is of one class (softmax), else classes are independent (sigmoid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The difference between a question's distractors and the fixed list of the background."""

    removed: Float[np.ndarray, "M D"]
    added: Float[np.ndarray, "P D"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestNames:
    """The best name of each track and its score."""

    names: Int[np.ndarray, " N"]  # positions in the list of names
    scores: Float[np.ndarray, " N"]  # [0, 1]


def background_of(
    tokens: Float[np.ndarray, "N D"], distractors: Float[np.ndarray, "R D"], *, logit_scale: float
) -> Float[np.ndarray, " N"]:
    """Return the logarithm of the sum of the exponentials of each token's distractor logits."""
    background = np.empty(len(tokens))
    for part in _parts(len(tokens)):
        background[part] = _log_sum(tokens[part] @ distractors.T * np.float32(logit_scale))
    return background


def roughly_best_names(
    tokens: Float[np.ndarray, "N D"],
    object_scores: Float[np.ndarray, " N"],
    question: Question,
    *,
    background: Float[np.ndarray, " N"],
    correction: Correction,
) -> BestNames:
    """Score all tracks with the stored sum over distractors; scores are within 0.1 % of those in full."""
    names = np.empty(len(tokens), dtype=np.int64)
    scores = np.empty(len(tokens))
    rows = np.concatenate([question.asked, correction.removed, correction.added])
    ends = np.cumsum([len(question.asked), len(correction.removed)])
    for part in _parts(len(tokens)):
        logits = tokens[part] @ rows.T * np.float32(question.logit_scale)  # the one pass over all tokens
        asked, removed, added = np.split(logits, ends, axis=1)
        kept, is_sure = _difference(background[part], _log_sum(removed))
        rest = np.logaddexp(kept, _log_sum(added))
        if not is_sure.all():
            unsure = tokens[part][~is_sure]
            rest[~is_sure] = background_of(unsure, question.distractors, logit_scale=question.logit_scale)
        best = _best_names(asked, object_scores[part], question, rest=rest)
        names[part], scores[part] = best.names, best.scores
    return BestNames(names=names, scores=scores)


def best_names(
    tokens: Float[np.ndarray, "N D"], object_scores: Float[np.ndarray, " N"], question: Question
) -> BestNames:
    """Score tracks in full."""
    rest = background_of(tokens, question.distractors, logit_scale=question.logit_scale)
    asked = tokens @ question.asked.T * np.float32(question.logit_scale)
    return _best_names(asked, object_scores, question, rest=rest)


def _parts(num_tokens: int) -> Iterator[slice]:
    for start in range(0, num_tokens, _CHUNK):
        yield slice(start, start + _CHUNK)


def _difference(
    total: Float[np.ndarray, " N"], removed: Float[np.ndarray, " N"]
) -> tuple[Float[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
    """Return log(exp(total) - exp(removed)), and where enough of the sum is left for it to be accurate."""
    with np.errstate(invalid="ignore"):
        share = np.where(np.isfinite(removed), removed - total, -np.inf)
    is_sure = share < _LARGEST_SHARE
    return total + np.log1p(-np.exp(np.minimum(share, _LARGEST_SHARE))), is_sure


def _best_names(
    asked_logits: Float[np.ndarray, "N A"],
    object_scores: Float[np.ndarray, " N"],
    question: Question,
    *,
    rest: Float[np.ndarray, " N"],
) -> BestNames:
    """Return the best names from the logits of their rows and the log-sum over the distractors."""
    logits = _per_name(asked_logits, question)
    with np.errstate(over="ignore"):
        if question.exclusive:
            total = np.logaddexp(rest, _log_sum(logits))
            probabilities = np.exp(logits - total[:, None])
        else:
            probabilities = 1 / (1 + np.exp(-logits))
    scores = probabilities**question.class_exponent * object_scores[:, None]
    names = scores.argmax(axis=1)
    return BestNames(names=names, scores=np.take_along_axis(scores, names[:, None], axis=1)[:, 0])


def _per_name(logits: Float[np.ndarray, "N A"], question: Question) -> Float[np.ndarray, "N K"]:
    """Return the logit of each name from those of its rows; minus infinity if it has none."""
    if set(question.counts) == {1}:
        return logits.astype(np.float64)
    joined = np.full((len(logits), len(question.counts)), -np.inf)
    ends = np.cumsum(question.counts)
    for name, (end, count) in enumerate(zip(ends, question.counts, strict=True)):
        rows = logits[:, end - count : end]
        if count:
            joined[:, name] = _log_sum(rows) if question.adds_up else rows.max(axis=1)
    return joined


def _log_sum(logits: Float[np.ndarray, "N R"]) -> Float[np.ndarray, " N"]:
    """Return log(sum(exp(row))) of each row; minus infinity for no columns."""
    if logits.shape[1] == 0:
        return np.full(len(logits), -np.inf)
    highest = logits.max(axis=1, keepdims=True)
    shift = np.where(np.isfinite(highest), highest, 0.0).astype(logits.dtype)
    with np.errstate(divide="ignore"):
        total = np.log(np.exp(logits - shift).sum(axis=1, dtype=np.float64))
    return np.asarray(total + shift[:, 0])
