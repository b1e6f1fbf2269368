"""Ablation of CLIP-VIS's scores on a diorama: classes weighted by object score, mask quality, both or none.

    python -m benchmarks.weighting --data DATA --output RUNS [--model clipvis-tiny] [--tracker ...]

Every row is a run of `ovvis evaluate --rules published` with parts of the score left out; existing runs
are read. AP in percent.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

from ovvis_cli.data.catalog import DATA_SETS, find_files
from ovvis_cli.data.index import load_index
from ovvis_cli.evaluation.run import RunOptions, protocol_for, run_data_set
from ovvis_cli.evaluation.session import ScoringRequest, score_files
from ovvis_cli.inference.engine import Engine, start_engine
from ovvis_cli.inference.tracker_options import TrackerOptions
from ovvis_models.scoring.clip_vis import ClipVisScoring
from ovvis_models.systems.clip_vis import ClipVisSpec

GROUPS = ("all", "base", "novel")
SCORINGS = {
    "none": ClipVisScoring(weight_by_object=False, weight_by_quality=False),
    "quality": ClipVisScoring(weight_by_object=False),
    "object": ClipVisScoring(weight_by_quality=False),
    "both": ClipVisScoring(),
}


def main() -> None:
    """Run every combination of tracker and weights, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="clipvis-tiny")
    parser.add_argument("--limit", type=int, default=None, help="only the first N videos")
    parser.add_argument("--tracker", nargs="+", default=["adjacent", "top-k"])
    options = parser.parse_args()
    print(f"{'tracker':12}{'weights':9}" + "".join(f"{group:>7}" for group in GROUPS))
    for tracker in options.tracker:
        engine = start_engine(options.model, tracker=TrackerOptions(name=tracker), rules="published")
        for name, scoring in SCORINGS.items():
            output = options.output / f"{tracker}-{name}"
            figures = average_precision(
                scored_by(engine, scoring), data=options.data, output=output, limit=options.limit
            )
            print(f"{tracker:12}{name:9}" + "".join(f"{100 * figures[group]:7.1f}" for group in GROUPS))


def scored_by(engine: Engine, scoring: ClipVisScoring) -> Engine:
    """Return the engine with another scoring."""
    spec = engine.model.spec
    assert isinstance(spec, ClipVisSpec), "only CLIP-VIS weights its classes"
    return replace(engine, model=replace(engine.model, spec=replace(spec, scoring=scoring)))


def average_precision(engine: Engine, *, data: Path, output: Path, limit: int | None) -> dict[str, float]:
    """Return the AP of each group of kinds."""
    files = find_files(DATA_SETS["diorama"], data, split="val")
    assert files.annotations is not None, "a diorama has annotations"
    run = RunOptions(output=output, batch_size=4, num_workers=1, overwrite=False)
    index = load_index(files).first(limit)
    protocol = protocol_for(files, index, engine=engine, options=run)
    outcome = run_data_set(files, index, protocol=protocol, options=run)
    request = ScoringRequest(
        annotations=files.annotations,
        predictions=outcome.results,
        data_set="diorama",
        limit=limit,
        lenient=False,
    )
    groups = score_files(request).sections[0].groups
    figures = {group: groups[group]["AP"] for group in GROUPS}
    return {group: math.nan if figure is None else figure for group, figure in figures.items()}


if __name__ == "__main__":
    main()
