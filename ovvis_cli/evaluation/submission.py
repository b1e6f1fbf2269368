"""Files for other evaluators: archives for evaluation servers, and results in BURST's format."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from ovvis_cli.atomic import atomic_path, write_text_atomic
from ovvis_cli.data.burst import BurstFile, BurstSequence
from ovvis_cli.data.burst_conversion import contiguous_ids
from ovvis_cli.data.documents import read_json
from ovvis_cli.errors import AnnotationError
from ovvis_cli.evaluation.predictions import RESULTS_NAME, ResultEntry

BURST_RESULTS_NAME = "burst_results.json"


def write_submissions(
    folder: Path, *, results: Path, splits: Mapping[str, frozenset[int]]
) -> tuple[Path, ...]:
    """Write the archives for an evaluation server: results.json at the root of a zip file.

    There is also one archive per split, with the results of its categories only. Servers print one AP over
    all classes; the AP of a split is that of its archive times (number of classes / classes in the split).

    Raises:
        AnnotationError: the results file is not a list.
        ResourceError: the disk is full or not writable.
    """
    entries = read_json(results)
    if not isinstance(entries, list):
        raise AnnotationError(f"{results}: results must be a list")
    parts = {"submission": entries}
    for name, category_ids in splits.items():
        parts[f"submission_{name}"] = [entry for entry in entries if entry["category_id"] in category_ids]
    return tuple(_write_archive(folder / f"{name}.zip", entries=part) for name, part in parts.items())


def write_burst_results(
    path: Path, videos: Iterable[Sequence[ResultEntry]], *, ground_truth: BurstFile
) -> Path:
    """Write results in BURST's format, with one track per entry.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    original = {number: category for category, number in contiguous_ids(ground_truth).items()}
    names = {sequence.sequence_id: name for name, sequence in ground_truth.sequences.items()}
    sequences = [
        _sequence(entries, sequence=ground_truth.sequences[names[entries[0]["video_id"]]], original=original)
        for entries in videos
        if entries
    ]
    content = {"split": ground_truth.split, "sequences": sequences}
    write_text_atomic(path, json.dumps(content, separators=(",", ":")))
    return path


def _write_archive(path: Path, *, entries: Sequence[object]) -> Path:
    with atomic_path(path) as partial, ZipFile(partial, "w", ZIP_DEFLATED) as archive:
        archive.writestr(RESULTS_NAME, json.dumps(entries, separators=(",", ":")))
    return path


def _sequence(
    entries: Sequence[ResultEntry], *, sequence: BurstSequence, original: Mapping[int, int]
) -> dict[str, object]:
    data_set, _, name = sequence.name.partition("/")
    height, width = sequence.frame_hw
    frames: list[dict[str, object]] = [{} for _ in sequence.frames]
    for track_id, entry in enumerate(entries, start=1):
        for frame, rle in zip(frames, entry["segmentations"], strict=True):
            if rle is not None:
                frame[str(track_id)] = {"rle": rle["counts"], "is_gt": False, "score": entry["score"]}
    return {
        "id": sequence.sequence_id,
        "dataset": data_set,
        "seq_name": name,
        "height": height,
        "width": width,
        "annotated_image_paths": list(sequence.frames),
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
        "track_category_ids": {
            str(track_id): original[entry["category_id"]] for track_id, entry in enumerate(entries, start=1)
        },
        "segmentations": frames,
    }
