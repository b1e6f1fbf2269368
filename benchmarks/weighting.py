"""Average precision with and without weighting class scores by object score and mask quality.

    ovvis evaluate --dataset diorama --data DATA --output RUN
    python -m benchmarks.weighting RUN [RUN ...] --data DATA

Each RUN is the output folder of `ovvis evaluate` for a model of the catalog. A (track, class) pair has the
score p^e * w * seen: class probability, weight of the track, share of frames where it is seen. Without
weighting the same pairs have the score p * seen; nothing else changes. In percent.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ovvis_cli.data.catalog import DATA_SETS, find_files
from ovvis_cli.evaluation.predictions import (
    RESULTS_NAME,
    LabelledTrack,
    VideoPredictions,
    read_predictions,
    result_entries,
    write_results,
)
from ovvis_cli.evaluation.report import METRICS_NAME
from ovvis_cli.evaluation.session import ScoringRequest, score_files
from ovvis_models.catalog import find_spec

GROUPS = ("all", "base", "novel")


def main() -> None:
    """Score every run twice and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    annotations = find_files(DATA_SETS["diorama"], options.data, split="val").annotations
    assert annotations is not None, "a diorama has annotations"
    print(f"{'model':18}{'tracker':16}{'weights':9}" + "".join(f"{group:>7}" for group in GROUPS))
    for run in options.runs:
        about = json.loads((run / METRICS_NAME).read_text())["model"]
        exponent = find_spec(about["name"]).class_exponent
        with TemporaryDirectory() as folder:
            bare = Path(folder) / RESULTS_NAME
            videos = (unweighted(video, exponent=exponent) for video in predictions_of(run))
            write_results(bare, map(result_entries, videos))
            for name, results in (("all", run / RESULTS_NAME), ("none", bare)):
                figures = average_precision(results, annotations=annotations)
                row = "".join(f"{100 * figures[group]:7.1f}" for group in GROUPS)
                print(f"{about['name']:18}{about['tracker']:16}{name:9}{row}")


def predictions_of(run: Path) -> Iterator[VideoPredictions]:
    """Yield what a run stores of each video."""
    for path in sorted((run / "videos").glob("*.json"), key=lambda path: int(path.stem)):
        yield read_predictions(path)


def unweighted(video: VideoPredictions, *, exponent: float) -> VideoPredictions:
    """Return the same pairs with the score p * seen instead of p^exponent * w * seen."""
    tracks = tuple(_unweighted(track, exponent=exponent) for track in video.tracks)
    return replace(video, tracks=tracks)


def _unweighted(track: LabelledTrack, *, exponent: float) -> LabelledTrack:
    seen = sum(mask is not None for mask in track.masks) / len(track.masks)
    labels = tuple(
        (category_id, (score / (track.object_score * seen)) ** (1 / exponent) * seen)
        for category_id, score in track.labels
    )
    return replace(track, labels=labels)


def average_precision(results: Path, *, annotations: Path) -> dict[str, float]:
    """Return the AP of each group of kinds."""
    request = ScoringRequest(
        annotations=annotations, predictions=results, data_set="diorama", limit=None, lenient=False
    )
    groups = score_files(request).sections[0].groups
    figures = {group: groups[group]["AP"] for group in GROUPS}
    return {group: math.nan if figure is None else figure for group, figure in figures.items()}


if __name__ == "__main__":
    main()
