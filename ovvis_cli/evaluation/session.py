"""One evaluation from files to figures: what `ovvis evaluate` does, without its console."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ovvis_cli.data.catalog import DataSetName
from ovvis_cli.data.ground_truth import first_videos, read_ground_truth
from ovvis_cli.data.results import read_results, warn_unknown_categories
from ovvis_cli.evaluation.scoring import ScoreSection, rules_of, score_tracks


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRequest:
    """Which files to score, and by whose rules; None: those of YouTube-VIS."""

    annotations: Path
    predictions: Path
    data_set: DataSetName | None
    limit: int | None  # only the first videos of the annotation file
    lenient: bool  # read plain mistakes in files as the official code does


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The figures, and how much they are taken over."""

    sections: tuple[ScoreSection, ...]
    num_videos: int
    num_objects: int
    num_predictions: int


def score_files(request: ScoringRequest, *, on_class: Callable[[int], None] = lambda done: None) -> Scored:
    """Reads both files and scores them.

    Raises:
        NoGroundTruthError: the annotation file has no annotations.
        AnnotationError: a file is missing or malformed.
    """
    everything = read_ground_truth(request.annotations, lenient=request.lenient)
    predictions = read_results(request.predictions, videos=everything.videos, lenient=request.lenient)
    ground_truth = first_videos(everything, limit=request.limit)
    if request.limit is not None:
        predictions = tuple(track for track in predictions if track.video_id in ground_truth.videos)
    if not rules_of(request.data_set, ground_truth).relabel_predictions:
        warn_unknown_categories(predictions, categories=ground_truth.categories, path=request.predictions)
    sections = score_tracks(ground_truth, predictions, data_set=request.data_set, on_class=on_class)
    return Scored(
        sections=sections,
        num_videos=len(ground_truth.videos),
        num_objects=len(ground_truth.tracks),
        num_predictions=len(predictions),
    )
