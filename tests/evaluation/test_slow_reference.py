"""The fast evaluator against the plain one, on data without official numbers."""

import json
from pathlib import Path

import pytest

from ovvis_cli.data.ground_truth import read_ground_truth
from ovvis_cli.data.results import read_results
from ovvis_cli.evaluation.metrics import track_metrics
from ovvis_cli.evaluation.rules import RULES
from ovvis_cli.evaluation.ytvis import evaluate_tracks
from tests.evaluation.slow_reference import slow_metrics
from tests.evaluation.synthetic import write_synthetic


@pytest.mark.parametrize(
    ("num_videos", "num_predictions", "num_categories", "num_frames"),
    [(12, 20, 12, 6), pytest.param(100, 100, 1196, 20, marks=pytest.mark.slow)],
)
def test_same_figures(
    tmp_path: Path, num_videos: int, num_predictions: int, num_categories: int, num_frames: int
) -> None:
    write_synthetic(
        tmp_path,
        num_videos=num_videos,
        num_predictions=num_predictions,
        num_categories=num_categories,
        num_frames=num_frames,
    )
    truth_path, results_path = tmp_path / "ground_truth.json", tmp_path / "predictions.json"
    slow = slow_metrics(json.loads(truth_path.read_text()), json.loads(results_path.read_text()))
    truth = read_ground_truth(truth_path)
    results = read_results(results_path, videos=truth.videos)
    fast = track_metrics(evaluate_tracks(truth, results, rules=RULES["ytvis"]))
    assert 0.05 < slow["AP"] < 0.95
    for name, value in slow.items():
        assert (-1.0 if fast[name] is None else fast[name]) == pytest.approx(value, abs=1e-9), name
