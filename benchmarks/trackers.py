"""Every tracker under both rules on one diorama, for one model: AP, identity switches, labels.

    ovvis diorama data/val --split val --videos 50 --seed 7
    python -m benchmarks.trackers instformer-tiny --data data/val --output RUNS [--limit N]

Each video goes through the networks once; its encoded windows are then associated and scored by every
combination, exactly as `ovvis evaluate --rules RULES --tracker TRACKER` does. In percent.
"""

import argparse
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from jaxtyping import UInt8

from ovvis_cli.data.catalog import DATA_SETS, DataSetFiles, find_files
from ovvis_cli.data.frames import frame_paths
from ovvis_cli.data.index import load_index
from ovvis_cli.evaluation.predictions import result_entries, write_results
from ovvis_cli.evaluation.protocol import Protocol, predict_video
from ovvis_cli.evaluation.run import RunOptions, protocol_for
from ovvis_cli.evaluation.session import ScoringRequest, score_files
from ovvis_cli.inference.engine import Engine, start_engine
from ovvis_cli.inference.tracker_options import TrackerOptions
from ovvis_models.errors import MissingWeightsError
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.systems.spec import Rules, TrackerChoice, TrackerName

BATCH_SIZE: Final = 4
COLUMNS: Final = ("AP", "base", "novel", "AP50 base", "AP50 novel", "switches", "right label")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEngine(Engine):
    """An engine that keeps the windows that it encodes."""

    encoded: deque[Sequence[Any]]

    def encode(
        self, segmenter: VideoSegmenter[Any], images: Sequence[UInt8[np.ndarray, "H0 W0 3"]]
    ) -> Sequence[Any]:
        """Encode as an engine does, and keep the windows."""
        windows = Engine.encode(self, segmenter, images)
        self.encoded.append(windows)
        return windows


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayingEngine(Engine):
    """An engine that gives windows that were encoded before."""

    encoded: deque[Sequence[Any]]

    def encode(
        self, segmenter: VideoSegmenter[Any], images: Sequence[UInt8[np.ndarray, "H0 W0 3"]]
    ) -> Sequence[Any]:
        """Return the next windows."""
        return self.encoded.popleft()


def main() -> None:
    """Run all combinations and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=None)
    options = parser.parse_args()
    files = find_files(DATA_SETS["diorama"], options.data, split="val")
    protocols = all_protocols(options.model, files=files, output=options.output, limit=options.limit)
    results = predict_all(protocols, files=files, output=options.output, limit=options.limit)
    print(f"{'rules':10} {'tracker':15}" + "".join(f"{name:>13}" for name in COLUMNS))
    for (rules, tracker), path in results.items():
        cells = figures(path, files=files, limit=options.limit)
        print(f"{rules:10} {tracker:15}" + "".join(f"{cell:>13}" for cell in cells))


def all_protocols(
    model: str, *, files: DataSetFiles, output: Path, limit: int | None
) -> dict[tuple[Rules, TrackerName], Protocol]:
    """Return the protocol of each pair of rules and tracker that the model has."""
    protocols: dict[tuple[Rules, TrackerName], Protocol] = {}
    index = load_index(files).first(limit)
    run = RunOptions(output=output, batch_size=BATCH_SIZE, num_workers=1, overwrite=False)
    for rules in get_args(Rules):
        base = start_engine(model, rules=rules)
        protocol = protocol_for(files, index, engine=base, options=run)
        for tracker in base.model.spec.trackers:
            choice = TrackerOptions(name=tracker).resolve(base.model.spec, rules)
            try:
                protocols[rules, tracker] = _with_tracker(protocol, choice)
            except MissingWeightsError:
                continue
    return protocols


def predict_all(
    protocols: Mapping[tuple[Rules, TrackerName], Protocol],
    *,
    files: DataSetFiles,
    output: Path,
    limit: int | None,
) -> dict[tuple[Rules, TrackerName], Path]:
    """Return the results file of each combination."""
    entries: dict[tuple[Rules, TrackerName], list[Any]] = {key: [] for key in protocols}
    for video in load_index(files).first(limit).videos.values():
        paths = frame_paths(video, folder=files.frames)
        encoded: deque[Sequence[Any]] = deque()
        for key, protocol in protocols.items():
            kind = ReplayingEngine if encoded else RecordingEngine
            engine = _as(kind, protocol.engine, encoded=deque(encoded) if encoded else encoded)
            predictions = predict_video(replace(protocol, engine=engine), video, paths=paths)
            entries[key].append(result_entries(predictions))
        print(f"video {video.video_id} done", flush=True)
    output.mkdir(parents=True, exist_ok=True)
    paths_of = {(rules, tracker): output / f"{rules}-{tracker}.json" for rules, tracker in protocols}
    for key, path in paths_of.items():
        write_results(path, entries[key])
    return paths_of


def figures(results: Path, *, files: DataSetFiles, limit: int | None) -> list[str]:
    """Return the cells of a row."""
    assert files.annotations is not None, "a diorama has annotations"
    request = ScoringRequest(
        annotations=files.annotations, predictions=results, data_set="diorama", limit=limit, lenient=False
    )
    sections = {section.name: section.groups for section in score_files(request).sections}
    ap = next(iter(sections.values()))
    objects = next(groups["all"] for groups in sections.values() if "identity_switches" in groups["all"])
    return [
        _percent(ap["all"]["AP"]),
        _percent(ap["base"]["AP"]),
        _percent(ap["novel"]["AP"]),
        _percent(ap["base"]["AP50"]),
        _percent(ap["novel"]["AP50"]),
        f"{objects['identity_switches']:.0f}/{objects['identity_chances']:.0f}",
        _percent(objects.get("label_accuracy")),
    ]


def _with_tracker(protocol: Protocol, choice: TrackerChoice) -> Protocol:
    engine = replace(protocol.engine, tracker=choice)
    engine.new_segmenter()  # raises where the model lacks the tracker
    return replace(protocol, engine=engine)


def _as(
    kind: type[RecordingEngine] | type[ReplayingEngine], engine: Engine, *, encoded: deque[Sequence[Any]]
) -> Engine:
    return kind(
        model=engine.model,
        device=engine.device,
        precision=engine.precision,
        tracker=engine.tracker,
        classifier=engine.classifier,
        rules=engine.rules,
        encoded=encoded,
    )


def _percent(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"


if __name__ == "__main__":
    main()
