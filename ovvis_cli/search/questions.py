"""Questions to the tracks of one model, and what is kept of them beside the index.

The first question needs the model's text encoder or list of words, and stores the sum over its distractors
for all tracks. A question that was asked before needs no model.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ovvis_cli.atomic import atomic_path
from ovvis_cli.search.index import TrackGroup
from ovvis_cli.search.scoring import Correction, Question, background_of

if TYPE_CHECKING:
    from ovvis_cli.labelling.class_query import ClassQuery

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedGroup:
    """A question, and what answers it fast for all tracks of a group."""

    question: Question
    background: Float[np.ndarray, " N"]  # log-sum of the fixed distractors of each track
    correction: Correction
    from_disk: bool  # it was asked before


def ask_group(
    group: TrackGroup,
    names: tuple[str, ...],
    *,
    distractors: bool,
    make: Callable[[], "ClassQuery"],
) -> AskedGroup:
    """Return the question to a group, from disk or from `make()`.

    Raises:
        OvvisError: what `make` raises; it is only called for a new question.
        ResourceError: the index cannot be written.
    """
    kind = "all" if distractors else "none"
    background_path = group.stem.with_name(f"{group.stem.name}.background-{kind}.npz")
    question_path = group.stem.with_name(f"{group.stem.name}.question-{_digest(names, kind)}.npz")
    stored, background = _load(question_path), _load(background_path)
    if stored is not None and background is not None:
        return _restored(stored, background)
    question = question_of(make())
    if background is None:
        fixed = question.distractors
        sums = background_of(group.tokens, fixed, logit_scale=question.logit_scale)
        background = {"fixed": fixed, "background": sums}
        _save(background_path, background)
    correction = correction_of(question.distractors, fixed=background["fixed"])
    _save(question_path, _stored(question, correction))
    return AskedGroup(
        question=question, background=background["background"], correction=correction, from_disk=False
    )


def question_of(query: "ClassQuery") -> Question:
    """Return the rows of a query as arrays."""
    from ovvis_models.text.vocabulary_scores import one_of_all

    rows = query.rows
    counts = rows.synonyms or (1,) * len(query.vocabulary.names)
    embeds = rows.embeds.detach().float().cpu().numpy()
    return Question(
        asked=embeds[: sum(counts)],
        counts=counts,
        distractors=embeds[sum(counts) :],
        logit_scale=rows.logit_scale,
        class_exponent=rows.class_exponent,
        adds_up=rows.adds_up,
        exclusive=rows.link is one_of_all,
    )


def correction_of(distractors: Float[np.ndarray, "R D"], *, fixed: Float[np.ndarray, "F D"]) -> Correction:
    """Return which rows of `fixed` are not among the distractors, and which distractors are not in it."""
    wanted = {row.tobytes() for row in distractors}
    present = {row.tobytes() for row in fixed}
    return Correction(
        removed=fixed[np.array([row.tobytes() not in wanted for row in fixed], dtype=bool)],
        added=distractors[np.array([row.tobytes() not in present for row in distractors], dtype=bool)],
    )


def _stored(question: Question, correction: Correction) -> Arrays:
    """Return the arrays of a question's file; of its distractors only the correction."""
    numbers = [question.logit_scale, question.class_exponent, question.adds_up, question.exclusive]
    return {
        "asked": question.asked,
        "counts": np.array(question.counts, dtype=np.int64),
        "numbers": np.array(numbers, dtype=np.float64),
        "removed": correction.removed,
        "added": correction.added,
    }


def _restored(stored: Arrays, background: Arrays) -> AskedGroup:
    correction = Correction(removed=stored["removed"], added=stored["added"])
    kept = correction_of(background["fixed"], fixed=correction.removed).added
    logit_scale, class_exponent, adds_up, exclusive = stored["numbers"].tolist()
    question = Question(
        asked=stored["asked"],
        counts=tuple(stored["counts"].tolist()),
        distractors=np.concatenate([kept, correction.added]),
        logit_scale=logit_scale,
        class_exponent=class_exponent,
        adds_up=bool(adds_up),
        exclusive=bool(exclusive),
    )
    return AskedGroup(
        question=question, background=background["background"], correction=correction, from_disk=True
    )


def _digest(names: tuple[str, ...], kind: str) -> str:
    return hashlib.sha256(json.dumps([list(names), kind]).encode("ascii")).hexdigest()[:24]


def _save(path: Path, arrays: Arrays) -> None:
    with atomic_path(path, shared=True) as partial:
        np.savez(partial, allow_pickle=False, **arrays)


def _load(path: Path) -> Arrays | None:
    """Return the arrays of an .npz file, or None if it is missing or damaged; it is then written again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError):
        return None
