"""Every tracker under both rules on one diorama, for one model: AP, identity switches, labels.

    ovvis diorama data/val --split val --videos 50 --seed 7
    python -m benchmarks.trackers instformer-tiny --data data/val --output RUNS [--limit N]

Each video goes through the networks once; its encoded windows are then associated and scored by every
combination, exactly as `ovvis evaluate --rules RULES --tracker TRACKER` does. In percent. The last line is
the processor time of the networks per frame. For an OVFormer, --window changes the frames per window, and
--without-frame-feature takes CLIP's feature of the frames from the alignment.
"""

import argparse
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

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
from ovvis_models.networks.ovformer import OVFormerParts, WindowOVFormer
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.systems.spec import Rules, TrackerChoice, TrackerName

BATCH_SIZE: Final = 4
COLUMNS: Final = ("AP", "base", "novel", "AP50 base", "AP50 novel", "switches", "right label")


@dataclass(slots=True, kw_only=True)
class Effort:
    """Frames that went through the networks, and the processor time for it."""

    num_frames: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEngine(Engine):
    """An engine that keeps the windows that it encodes, and adds up its effort."""

    encoded: deque[Sequence[Any]]
    effort: Effort

    def encode(
        self, segmenter: VideoSegmenter[Any], images: Sequence[UInt8[np.ndarray, "H0 W0 3"]]
    ) -> Sequence[Any]:
        """Encode as an engine does, and keep the windows."""
        started = time.process_time()
        windows = Engine.encode(self, segmenter, images)
        self.effort.seconds += time.process_time() - started
        self.effort.num_frames += len(images)
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
    parser.add_argument(
        "--window", type=int, default=None, help="frames per window of an OVFormer in windows"
    )
    parser.add_argument(
        "--without-frame-feature",
        action="store_true",
        help="of an OVFormer: align queries with zeros in place of CLIP's feature of each frame",
    )
    options = parser.parse_args()
    files = find_files(DATA_SETS["diorama"], options.data, split="val")
    engine = start_engine(options.model)
    if options.window is not None:
        engine = with_window(engine, options.window)
    if options.without_frame_feature:
        remove_frame_feature(engine)
    protocols = all_protocols(engine, files=files, output=options.output, limit=options.limit)
    effort = Effort()
    results = predict_all(protocols, files=files, output=options.output, limit=options.limit, effort=effort)
    print(f"{'rules':10} {'tracker':15}" + "".join(f"{name:>13}" for name in COLUMNS))
    for (rules, tracker), path in results.items():
        cells = figures(path, files=files, limit=options.limit)
        print(f"{rules:10} {tracker:15}" + "".join(f"{cell:>13}" for cell in cells))
    print(f"{effort.seconds / effort.num_frames:.3f} s of processor time per frame ({effort.num_frames})")


def with_window(engine: Engine, window: int) -> Engine:
    """Return the engine with windows of another length; the network is changed in place."""
    network = engine.model.network
    if not isinstance(network, WindowOVFormer):
        raise SystemExit(f"{engine.model.spec.name} has no windows")
    network.window = window
    return replace(engine, model=replace(engine.model, spec=replace(engine.model.spec, window=window)))


def remove_frame_feature(engine: Engine) -> None:
    """Replace CLIP's features of whole frames by zeros, in place."""
    network = engine.model.network
    if not isinstance(network, OVFormerParts):
        raise SystemExit(f"{engine.model.spec.name} aligns no queries")
    network.frame_features = _Zeros(engine.model.spec.token_dim)  # type: ignore[assignment]


class _Zeros(nn.Module):
    """Zeros in place of CLIP's feature of each frame."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.embed_dim = embed_dim

    def forward(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> Float[Tensor, "B D"]:
        """Return the zeros."""
        return torch.zeros(len(frames), self.embed_dim, device=frames.device)


def all_protocols(
    engine: Engine, *, files: DataSetFiles, output: Path, limit: int | None
) -> dict[tuple[Rules, TrackerName], Protocol]:
    """Return the protocol of each pair of rules and tracker that the model has."""
    protocols: dict[tuple[Rules, TrackerName], Protocol] = {}
    index = load_index(files).first(limit)
    run = RunOptions(output=output, batch_size=BATCH_SIZE, num_workers=1, overwrite=False)
    for rules in get_args(Rules):
        protocol = protocol_for(files, index, engine=replace(engine, rules=rules), options=run)
        for tracker in engine.model.spec.trackers:
            choice = TrackerOptions(name=tracker).resolve(engine.model.spec, rules)
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
    effort: Effort,
) -> dict[tuple[Rules, TrackerName], Path]:
    """Return the results file of each combination; `effort` is added to."""
    entries: dict[tuple[Rules, TrackerName], list[Any]] = {key: [] for key in protocols}
    for video in load_index(files).first(limit).videos.values():
        paths = frame_paths(video, folder=files.frames)
        encoded: deque[Sequence[Any]] = deque()
        for key, protocol in protocols.items():
            if encoded:
                engine: Engine = ReplayingEngine(**_parts(protocol.engine), encoded=deque(encoded))
            else:
                engine = RecordingEngine(**_parts(protocol.engine), encoded=encoded, effort=effort)
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


def _parts(engine: Engine) -> dict[str, Any]:
    return {field.name: getattr(engine, field.name) for field in fields(Engine)}


def _percent(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"


if __name__ == "__main__":
    main()
