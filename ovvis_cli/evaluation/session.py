"""Evaluation of a results file: from files to metrics, without console output."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ovvis_cli.choices import DataSetName
from ovvis_cli.data.burst import BurstFile, is_burst, parse_burst, parse_burst_results
from ovvis_cli.data.burst_conversion import to_burst_results, to_ground_truth, to_predictions
from ovvis_cli.data.documents import read_json
from ovvis_cli.data.ground_truth import first_videos, parse_ground_truth, read_index
from ovvis_cli.data.results import parse_results, read_results, warn_unknown_categories
from ovvis_cli.data.splits import category_splits
from ovvis_cli.data.tracks import GroundTruth, PredictedTrack
from ovvis_cli.evaluation.burst.scoring import score_burst
from ovvis_cli.evaluation.scoring import ALL, ScoreSection, rules_of, score_tracks
from ovvis_cli.evaluation.shifted_ids import warn_shifted_categories
from ovvis_cli.evaluation.submission import write_submissions


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRequest:
    """Files to score, and the data set whose rules apply (None: YouTube-VIS, or BURST by file format)."""

    annotations: Path
    predictions: Path
    data_set: DataSetName | None
    limit: int | None  # only the first videos of the annotation file
    lenient: bool  # accept simple mistakes in files, as the official code does


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Metrics, and the numbers of videos, objects and predictions they cover."""

    sections: tuple[ScoreSection, ...]
    num_videos: int
    num_objects: int
    num_predictions: int


def score_files(request: ScoringRequest, *, on_class: Callable[[int], None] = lambda done: None) -> Scored:
    """Read both files and score them.

    Raises:
        NoGroundTruthError: the annotation file has no annotations.
        AnnotationError: a file is missing or malformed.
    """
    annotations = read_json(request.annotations)
    if is_burst(annotations):
        truth = parse_burst(annotations, path=request.annotations)
        return _score_burst(request, truth=truth, on_class=on_class)
    everything = parse_ground_truth(
        annotations,
        path=request.annotations,
        lenient=request.lenient,
        is_converted=request.data_set == "burst",
    )
    del annotations  # frees memory: the document is larger than the parsed data
    predictions = _results(request, videos_of=everything)
    return _score_tracks(
        request,
        ground_truth=first_videos(everything, limit=request.limit),
        predictions=predictions,
        on_class=on_class,
    )


def pack_results(request: ScoringRequest, *, folder: Path) -> tuple[Path, ...]:
    """Check a results file and write the archives for the evaluation server.

    Raises:
        AnnotationError: a file is missing or malformed.
        ResourceError: the disk is full or not writable.
    """
    index = read_index(request.annotations)
    predictions = read_results(request.predictions, videos=index.videos, lenient=request.lenient)
    warn_unknown_categories(predictions, categories=index.categories, path=request.predictions)
    splits = category_splits(request.data_set, index.categories.values())
    return write_submissions(folder, results=request.predictions, splits=splits)


def _results(request: ScoringRequest, *, videos_of: GroundTruth) -> tuple[PredictedTrack, ...]:
    document = read_json(request.predictions)
    return parse_results(document, path=request.predictions, videos=videos_of.videos, lenient=request.lenient)


def _score_tracks(
    request: ScoringRequest,
    *,
    ground_truth: GroundTruth,
    predictions: tuple[PredictedTrack, ...],
    on_class: Callable[[int], None],
) -> Scored:
    own = tuple(track for track in predictions if track.video_id in ground_truth.videos)
    if not rules_of(request.data_set, ground_truth).relabel_predictions:
        warn_unknown_categories(own, categories=ground_truth.categories, path=request.predictions)
    sections = score_tracks(ground_truth, own, data_set=request.data_set, on_class=on_class)
    if rules_of(request.data_set, ground_truth).by_category:
        warn_shifted_categories(
            ground_truth, own, ap=sections[0].groups[ALL].get("AP"), path=request.predictions
        )
    return Scored(
        sections=sections,
        num_videos=len(ground_truth.videos),
        num_objects=len(ground_truth.tracks),
        num_predictions=len(own),
    )


def _score_burst(request: ScoringRequest, *, truth: BurstFile, on_class: Callable[[int], None]) -> Scored:
    """Compute BURST's metrics and those of CLIP-VIS and OVFormer, from results in either format."""
    converted = to_ground_truth(truth)
    document = read_json(request.predictions)
    if isinstance(document, dict):
        results = parse_burst_results(document, path=request.predictions, ground_truth=truth)
        predictions = to_predictions(results, ground_truth=truth)
    else:
        predictions = parse_results(
            document, path=request.predictions, videos=converted.videos, lenient=request.lenient
        )
        results = to_burst_results(predictions, ground_truth=truth)
    ground_truth = first_videos(converted, limit=request.limit)
    by_papers = _score_tracks(
        replace(request, data_set="burst"),
        ground_truth=ground_truth,
        predictions=predictions,
        on_class=on_class,
    )
    kept = replace(truth, sequences=dict(islice(truth.sequences.items(), request.limit)))
    papers, *sound = by_papers.sections
    renamed = (replace(papers, name="papers_ap"), *(replace(part, name="sound_ap") for part in sound))
    return replace(by_papers, sections=(*score_burst(kept, results, on_class=on_class), *renamed))
