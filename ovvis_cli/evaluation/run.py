"""Inference over the videos of a data set; an interrupted run resumes after the last finished video."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jaxtyping import Float
from torch import Tensor

from ovvis_cli.data.burst import read_burst
from ovvis_cli.data.catalog import DataSetFiles
from ovvis_cli.data.frames import frame_paths
from ovvis_cli.data.ground_truth import DataSetIndex
from ovvis_cli.data.splits import category_splits
from ovvis_cli.data.tracks import AnnotatedCategory, AnnotatedVideo
from ovvis_cli.errors import UsageError
from ovvis_cli.evaluation.predictions import (
    RESULTS_NAME,
    PredictionStore,
    ResultEntry,
    VideoPredictions,
    result_entries,
    write_results,
)
from ovvis_cli.evaluation.protocol import Protocol, predict_video
from ovvis_cli.evaluation.submission import BURST_RESULTS_NAME, write_burst_results, write_submissions
from ovvis_cli.inference.engine import Engine
from ovvis_cli.labelling.class_query import make_query
from ovvis_cli.vocabulary.categories import load_table
from ovvis_cli.vocabulary.names import Vocabulary
from ovvis_cli.vocabulary.words import prompt_text
from ovvis_models.text.vocabulary import Progress

_PROTOCOL_VERSION: Final = 2  # increase it when the same settings give different results


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of a run over a data set, apart from the model."""

    output: Path
    batch_size: int
    num_workers: int
    overwrite: bool
    max_results: int | None = None  # per video; None: the default of the rules
    text_embeddings: Float[Tensor, "K D"] | None = None  # a row per category, in place of the text encoder's


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """Output files of a run and the time it took."""

    results: Path
    others: tuple[Path, ...]  # results in BURST's format; archives for the server if ground truth is private
    num_videos: int
    num_frames: int
    seconds_per_frame: float | None  # decoding, networks, tracker and masks; None without frames


def run_data_set(
    files: DataSetFiles,
    index: DataSetIndex,
    *,
    protocol: Protocol,
    options: RunOptions,
    on_frames: Callable[[int], None] = lambda done: None,
) -> RunOutcome:
    """Run the videos of `index` that have no results in the output folder yet, and write the results file.

    Args:
        files: location of the frames.
        index: the videos to run, and the categories to find.
        protocol: from `protocol_for` with these videos.
        options: output folder and options of the run.
        on_frames: progress callback, called with the number of frames of each finished video.

    Raises:
        UsageError: the output folder holds results of another run, and `overwrite` is not set.
        VideoError: a frame is missing or unreadable.
        ResourceError: the disk is full or not writable.
    """
    vocabulary = vocabulary_of(files, list(index.categories.values()))
    fingerprint = _fingerprint(files, vocabulary, protocol=protocol)
    store = PredictionStore(options.output, fingerprint=fingerprint)
    if options.overwrite:
        store.clear()
    videos = list(index.videos.values())
    num_frames, seconds = 0, 0.0
    for video in videos:
        predictions = _predictions(video, files=files, store=store, protocol=protocol)
        num_frames += predictions.num_frames
        seconds += predictions.seconds
        on_frames(predictions.num_frames)
    results = options.output / RESULTS_NAME
    write_results(results, _entries(videos, store=store))
    return RunOutcome(
        results=results,
        others=_other_files(files, index, store=store, results=results),
        num_videos=len(videos),
        num_frames=num_frames,
        seconds_per_frame=seconds / num_frames if num_frames else None,
    )


def _entries(videos: Iterable[AnnotatedVideo], *, store: PredictionStore) -> Iterator[list[ResultEntry]]:
    return (result_entries(store.load(video.video_id)) for video in videos)


def _other_files(
    files: DataSetFiles, index: DataSetIndex, *, store: PredictionStore, results: Path
) -> tuple[Path, ...]:
    folder = results.parent
    if not index.has_ground_truth:
        splits = category_splits(files.spec.name, index.categories.values())
        return write_submissions(folder, results=results, splits=splits)
    if files.spec.name == "burst" and files.annotations is not None:
        path = folder / BURST_RESULTS_NAME
        entries = _entries(index.videos.values(), store=store)
        return (write_burst_results(path, entries, ground_truth=read_burst(files.annotations)),)
    return ()


def vocabulary_of(files: DataSetFiles, categories: Sequence[AnnotatedCategory]) -> Vocabulary:
    """Return the vocabulary of all categories of a data set, with the prompts of its category table."""
    table = load_table(files.spec.table).by_id()
    prompts = []
    for category in categories:
        known = table.get(category.category_id)
        same = known is not None and known.name == category.name
        prompts.append(known.prompt if known is not None and same else prompt_text(category.name))
    return Vocabulary(
        names=tuple(category.name for category in categories),
        prompts=tuple(prompts),
        category_ids=tuple(category.category_id for category in categories),
        table=files.spec.table,
    )


def _predictions(
    video: AnnotatedVideo, *, files: DataSetFiles, store: PredictionStore, protocol: Protocol
) -> VideoPredictions:
    if store.has(video.video_id):
        return store.load(video.video_id)
    paths = frame_paths(video, folder=files.frames)
    predictions = predict_video(protocol, video, paths=paths)
    store.save(predictions)
    return predictions


def protocol_for(
    files: DataSetFiles,
    index: DataSetIndex,
    *,
    engine: Engine,
    options: RunOptions,
    on_prompts: Progress | None = None,
) -> Protocol:
    """Return the protocol for the videos of `index`, with its categories encoded.

    `on_prompts` is a progress callback for encoding.

    Raises:
        UsageError: the data set is class-agnostic, and the model has a closed set of classes.
        VocabularyError: the model has a closed set of classes, and a category is not among them.
    """
    vocabulary = vocabulary_of(files, list(index.categories.values()))
    spec, is_published = engine.model.spec, engine.rules == "published"
    if len(vocabulary) == 1 and not spec.reads_words:
        raise UsageError(
            f"{spec.name} finds only objects of the classes that it was trained on",
            hint=f"{files.spec.name} needs objects of any class: use another model",
        )
    query = make_query(
        engine.model,
        vocabulary,
        distractors=False,
        text_embeddings=options.text_embeddings,
        published_names=is_published,
        progress=on_prompts,
    )
    num_results = spec.published.num_results if is_published else None
    return Protocol(
        engine=engine,
        query=query,
        max_entries=options.max_results or num_results or files.spec.max_entries,
        batch_size=options.batch_size,
        num_workers=options.num_workers,
    )


def _fingerprint(files: DataSetFiles, vocabulary: Vocabulary, *, protocol: Protocol) -> str:
    """Return the hex digest of all settings that affect results, except the choice of videos."""
    engine = protocol.engine
    model = engine.model_info
    content = {
        "version": _PROTOCOL_VERSION,
        "data_set": files.spec.name,
        "split": files.split,
        "max_entries": protocol.max_entries,
        "prompts": vocabulary.prompts,
        "category_ids": vocabulary.category_ids,
        "class_embeds": hashlib.sha256(protocol.query.rows.embeds.numpy().tobytes()).hexdigest(),
        "model": [model.name, model.weights_sha256, repr(engine.model.spec)],
        "settings": engine.settings,
    }
    canonical = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
