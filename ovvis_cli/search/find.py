"""Ranked tracks for a list of names, over all records of some results folders."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ovvis_cli.errors import ModelError, OvvisError, VocabularyError
from ovvis_cli.search.index import SearchIndex, TrackGroup, open_index
from ovvis_cli.search.questions import AskedGroup, ask_group
from ovvis_cli.search.scoring import best_names, roughly_best_names
from ovvis_cli.vocabulary.known_words import vocabulary_warnings
from ovvis_cli.vocabulary.names import Vocabulary

if TYPE_CHECKING:
    from ovvis_cli.labelling.class_query import ClassQuery

_MIN_SHORTLIST: Final = 1000  # tracks that are scored in full


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A track that was found."""

    score: float  # [0, 1], as `ovvis relabel` with the same names would give
    name: str
    record: Path  # its folder
    video: str  # path of the source
    track_id: int
    first_time_s: float
    last_time_s: float
    num_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The answer to a search."""

    hits: tuple[Hit, ...]  # best first
    num_tracks: int  # that were searched
    num_records: int
    best_score: float  # of all tracks, also below the threshold; 0 without tracks
    left_out: tuple[str, ...]  # messages about records and models that were not searched
    warnings: tuple[str, ...]  # messages about words that a model does not know
    open_s: float  # time to open the indexes, and to build them where needed
    search_s: float  # time of the search itself, with the embedding of new names


def find(
    results: Sequence[Path],
    vocabulary: Vocabulary,
    *,
    distractors: bool = True,
    score_threshold: float = 0.0,
    limit: int = 20,
    model: str | None = None,
    on_record: Callable[[int, int], None] | None = None,
) -> Findings:
    """Search the records of results folders for names, without running a network but the text encoder.

    Every model's tracks are compared with the names by that model.

    Args:
        results: folders of records.
        vocabulary: the names.
        distractors: whether the names also compete with a general vocabulary.
        score_threshold: lowest score of a hit, in [0, 1].
        limit: largest number of hits.
        model: weights of the records' model, where the model of that name is another one or not installed.
        on_record: see `open_index`.

    Raises:
        RecordError: a folder has no finished record.
        ModelError: no model of the records can be used.
        VocabularyError: none of the models can be asked for these names.
        ResourceError: an index cannot be written.
    """
    start_s = time.perf_counter()
    indexes = [open_index(folder, on_record=on_record) for folder in results]
    opened_s = time.perf_counter()
    left_out = [message for index in indexes for message in index.damaged]
    warnings: list[str] = []
    hits: list[Hit] = []
    best_score, num_tracks, failures = 0.0, 0, []
    for index in indexes:
        for group in index.groups:
            try:
                asked = ask_group(
                    group,
                    vocabulary.names,
                    distractors=distractors,
                    make=_query_maker(group, vocabulary, distractors=distractors, model=model),
                )
            except (ModelError, VocabularyError) as error:
                failures.append(error)
                left_out.append(_left_out(group, index=index, error=error))
                continue
            if asked.from_disk:  # otherwise the query has warned of words that the model does not know
                warnings += vocabulary_warnings(vocabulary.names, model_name=group.model.name)
            found = _search(index, group, asked, names=vocabulary.names, limit=limit)
            num_tracks += len(group.tokens)
            best_score = max(best_score, *(hit.score for hit in found[:1]), 0.0)
            hits += [hit for hit in found if hit.score >= score_threshold]
    if failures and num_tracks == 0:
        raise failures[0]
    hits.sort(key=lambda hit: (-hit.score, str(hit.record), hit.track_id))
    return Findings(
        hits=tuple(hits[:limit]),
        num_tracks=num_tracks,
        num_records=sum(len(index.records) for index in indexes),
        best_score=best_score,
        left_out=tuple(left_out),
        warnings=tuple(dict.fromkeys(warnings)),
        open_s=opened_s - start_s,
        search_s=time.perf_counter() - opened_s,
    )


def _search(
    index: SearchIndex, group: TrackGroup, asked: AskedGroup, *, names: tuple[str, ...], limit: int
) -> list[Hit]:
    """Return the best tracks of a group, best first: all are scored roughly, the best of them in full."""
    object_scores = np.asarray(group.tracks["object_score"])
    rough = roughly_best_names(
        group.tokens,
        object_scores,
        asked.question,
        background=asked.background,
        correction=asked.correction,
    ).scores
    num_full = min(len(rough), max(_MIN_SHORTLIST, 4 * limit))
    rows = np.sort(np.argpartition(-rough, num_full - 1)[:num_full])
    exact = best_names(group.tokens[rows], object_scores[rows], asked.question)
    best = np.argsort(-exact.scores, kind="stable")[:limit]
    return [
        _hit(index, group.tracks[rows[row]], score=float(exact.scores[row]), name=names[exact.names[row]])
        for row in best
    ]


def _hit(index: SearchIndex, track: np.void, *, score: float, name: str) -> Hit:
    record = index.records[int(track["record"])]
    return Hit(
        score=round(score, 4),
        name=name,
        record=index.results / record.folder,
        video=record.video,
        track_id=int(track["track_id"]),
        first_time_s=float(track["first_time_s"]),
        last_time_s=float(track["last_time_s"]),
        num_frames=int(track["num_frames"]),
    )


def _query_maker(
    group: TrackGroup, vocabulary: Vocabulary, *, distractors: bool, model: str | None
) -> "Callable[[], ClassQuery]":
    def make() -> "ClassQuery":
        from ovvis_cli.labelling.class_query import make_query  # slow imports, only for new questions
        from ovvis_cli.labelling.record_model import load_record_model

        loaded = load_record_model(group, name_or_path=model)
        return make_query(loaded, vocabulary, distractors=distractors)

    return make


def _left_out(group: TrackGroup, *, index: SearchIndex, error: OvvisError) -> str:
    num_records = len(np.unique(group.tracks["record"]))
    records = "1 record" if num_records == 1 else f"{num_records} records"
    return f"{index.results}: {records} of {group.model.name} left out: {error}"
