"""Speed and memory of `ovvis find` over many made-up records.

    python -m benchmarks.search --records 2000 --tracks 50

Writes records with random tokens of a model's width into a temporary folder, and runs the command three
times, each in a process of its own: the first question builds the index, the second asks other names, the
third the same names again.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ovvis_cli.record.schema import (
    MASKS_NAME,
    TOKENS_NAME,
    AnalysedRange,
    ModelInfo,
    RecordHeader,
    SourceInfo,
    TrackEntry,
    VocabularyInfo,
)
from ovvis_cli.record.serialise import header_to_text

QUESTIONS = (
    ("first question", "dog"),
    ("other names", "red car,bicycle"),
    ("the same names", "red car,bicycle"),
)


def main() -> None:
    """Make the records, ask, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--tracks", type=int, default=50, help="per record")
    parser.add_argument("--model", default="clipvis-camera")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        # in a process of its own: the peak memory of a child includes that of the process that starts it
        writer = multiprocessing.get_context("spawn").Process(target=write_records, args=(results, options))
        writer.start()
        writer.join()
        print(f"{options.records * options.tracks} tracks of {options.model}")
        print(f"{'':<16} {'wall s':>8} {'CPU s':>8} {'index s':>8} {'search s':>9} {'peak MiB':>9}")
        for title, names in QUESTIONS:
            print_run(title, names, results=results)


def write_records(results: Path, options: argparse.Namespace) -> None:
    """Write the files of finished records that a search reads."""
    from ovvis_models.loading import load

    loaded = load(options.model)
    model = ModelInfo(name=options.model, weights_sha256=loaded.weights_sha256)
    width = loaded.spec.token_dim
    random = np.random.default_rng(0)
    for number in range(options.records):
        folder = results / f"video{number:05}"
        folder.mkdir()
        tokens = random.standard_normal((options.tracks, width), dtype=np.float32)
        tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
        arrays = {
            "track_ids": np.arange(options.tracks),
            "tokens": tokens,
            "object_scores": random.uniform(0.3, 1.0, options.tracks).astype(np.float32),
        }
        save_file(arrays, folder / TOKENS_NAME)
        (folder / MASKS_NAME).touch()
        header = header_of(folder, num_tracks=options.tracks, model=model)
        (folder / "record.json").write_text(header_to_text(header))


def header_of(folder: Path, *, num_tracks: int, model: ModelInfo) -> RecordHeader:
    """Return the header of a record with unnamed tracks."""
    tracks = tuple(
        TrackEntry(
            track_id=track_id,
            label=None,
            score=None,
            object_score=0.5,
            runner_up=(),
            first_frame=0,
            last_frame=99,
            first_time_s=0.0,
            last_time_s=3.3,
            num_frames=100,
        )
        for track_id in range(num_tracks)
    )
    source = SourceInfo(
        path=f"{folder.name}.mp4",
        kind="video",
        width=1280,
        height=720,
        size_bytes=1,
        modified_ns=1,
        num_frames=100,
        duration_s=3.3,
        average_rate="30",
        rotation_deg=0,
        has_audio=False,
        damage=None,
    )
    vocabulary = VocabularyInfo(
        names=("thing",), category_ids=(1,), distractors=True, score_threshold=0.0, max_tracks=None
    )
    return RecordHeader(
        fingerprint=folder.name,
        source=source,
        model=model,
        vocabulary=vocabulary,
        settings={},
        analysed=AnalysedRange(start_s=0.0, end_s=None, stride=1, num_frames=100),
        saved=(),
        tracks=tracks,
    )


def print_run(title: str, names: str, *, results: Path) -> None:
    """Run `ovvis find` once and print a row."""
    command = [sys.executable, "-m", "ovvis_cli.app", "find", str(results), "--classes", names, "--json"]
    read, write = os.pipe()
    start_s = time.perf_counter()
    child = os.posix_spawn(
        sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write, 1)]
    )
    os.close(write)
    with os.fdopen(read) as output:
        found = json.load(output)
    _, _, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - start_s
    cpu_s, peak_mib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    index_s, search_s = found["open_s"], found["search_s"]
    print(
        f"{title:<16} {wall_s:8.2f} {cpu_s:8.2f} {index_s:8.2f} {search_s:9.2f} {peak_mib:9.0f}", flush=True
    )


if __name__ == "__main__":
    main()
