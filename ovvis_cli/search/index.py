"""Index of a results folder: the tokens and spans of all its tracks, in files that are mapped into memory.

    RESULTS/.ovvis-search/
        index.json             records with the state of their tokens, groups, damaged records
        MODEL.tokens           (N, D) float32: instance tokens of the tracks of one model
        MODEL.tracks           (N,) of `TRACK_DTYPE`: whose they are
        MODEL.*.npz            questions asked before (`questions.py`)

Tokens of different models and classifiers are not comparable, so each has its own group. The index is built
again when a record appears, goes or is analysed again. Relabelling and exports change neither tokens nor
spans.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from jaxtyping import Float

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError
from ovvis_cli.record.folders import record_folders
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import TOKENS_NAME, ModelInfo

INDEX_FOLDER: Final = ".ovvis-search"
TRACK_DTYPE: Final = np.dtype(
    [
        ("record", np.int32),  # position in `SearchIndex.records`
        ("track_id", np.int64),
        ("object_score", np.float32),
        ("first_time_s", np.float64),
        ("last_time_s", np.float64),
        ("num_frames", np.int32),
    ]
)
_FORMAT: Final = 1
_HEADER: Final = "index.json"

Stamp = list[str | int | None]  # name of a record's folder; last change [ns] and size [bytes] of its tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedRecord:
    """Where the tracks of a record come from."""

    folder: str  # in the results folder; "." if that is the record itself
    video: str  # path of the source


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackGroup:
    """All tracks of one model and classifier."""

    model: ModelInfo
    classifier: str | None  # setting of the analysis
    tokens: Float[np.ndarray, "N D"]
    tracks: np.ndarray  # (N,) of TRACK_DTYPE
    stem: Path  # start of the names of this group's files


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchIndex:
    """The tracks of a results folder."""

    results: Path
    records: tuple[IndexedRecord, ...]
    groups: tuple[TrackGroup, ...]
    damaged: tuple[str, ...]  # one message per record that cannot be read


def open_index(results: Path, *, on_record: Callable[[int, int], None] | None = None) -> SearchIndex:
    """Open the index of a results folder, and first build it if it is missing or out of date.

    Args:
        results: a folder of records, or the folder of one record.
        on_record: called with the number of records read and of all records while the index is built.

    Raises:
        RecordError: there is no finished record.
        ResourceError: the index cannot be written.
    """
    folders = record_folders(results)
    if not folders:
        raise RecordError(
            f"{results} holds no finished record", hint="give the --output folder of ovvis segment"
        )
    stamps = [_stamp(folder) for folder in folders]
    header = _read_header(results)
    if header is None or header["stamps"] != stamps:
        _build(results, folders=folders, stamps=stamps, on_record=on_record)
        header = _read_header(results)
        assert header is not None, "the index was just written"
    groups = [_open_group(results / INDEX_FOLDER, described) for described in header["groups"]]
    return SearchIndex(
        results=results,
        records=tuple(IndexedRecord(**described) for described in header["records"]),
        groups=tuple(groups),
        damaged=tuple(header["damaged"]),
    )


def _stamp(folder: Path) -> Stamp:
    try:
        stat = (folder / TOKENS_NAME).stat()
    except OSError:
        return [folder.name, None, None]
    return [folder.name, stat.st_mtime_ns, stat.st_size]


def _read_header(results: Path) -> dict[str, Any] | None:
    """Return the contents of index.json, or None if there is none of this version."""
    try:
        header = json.loads((results / INDEX_FOLDER / _HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return header if isinstance(header, dict) and header.get("format") == _FORMAT else None


def _open_group(folder: Path, described: dict[str, Any]) -> TrackGroup:
    stem = folder / str(described["file"])
    num_tracks, width = int(described["num_tracks"]), int(described["width"])
    tokens = np.memmap(_tokens_path(stem), dtype=np.float32, mode="r", shape=(num_tracks, width))
    tracks = np.memmap(_tracks_path(stem), dtype=TRACK_DTYPE, mode="r", shape=(num_tracks,))
    model = ModelInfo(name=str(described["model"]), weights_sha256=str(described["weights_sha256"]))
    return TrackGroup(
        model=model, classifier=described["classifier"], tokens=tokens, tracks=tracks, stem=stem
    )


def _tokens_path(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.tokens")


def _tracks_path(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.tracks")


_Key = tuple[str, str | None, int]  # hash of the weights, classifier, width of tokens


@dataclass(slots=True, kw_only=True)
class _OpenGroup:
    """A group while it is written."""

    model: ModelInfo
    classifier: str | None
    width: int
    file: str
    tokens: IO[bytes]
    tracks: IO[bytes]
    num_tracks: int = 0


def _build(
    results: Path,
    *,
    folders: list[Path],
    stamps: list[Stamp],
    on_record: Callable[[int, int], None] | None,
) -> None:
    """Write the index into a new folder that replaces the old one; memory does not grow with the tracks."""
    records: list[dict[str, str]] = []
    damaged: list[str] = []
    groups: dict[_Key, _OpenGroup] = {}
    with atomic_path(results / INDEX_FOLDER) as partial, ExitStack() as files:
        partial.mkdir()
        for number, folder in enumerate(folders, start=1):
            try:
                record = Record.open(folder)
                _append(record, number=len(records), groups=groups, into=partial, files=files)
                name = "." if folder == results else folder.name
                records.append({"folder": name, "video": record.header.source.path})
            except RecordError as error:
                damaged.append(error.message)
            if on_record is not None:
                on_record(number, len(folders))
        described = [
            {
                "file": group.file,
                "model": group.model.name,
                "weights_sha256": group.model.weights_sha256,
                "classifier": group.classifier,
                "num_tracks": group.num_tracks,
                "width": group.width,
            }
            for group in groups.values()
        ]
        header = {
            "format": _FORMAT,
            "stamps": stamps,
            "records": records,
            "groups": described,
            "damaged": damaged,
        }
        files.close()
        (partial / _HEADER).write_text(json.dumps(header), encoding="utf-8")


def _append(
    record: Record, *, number: int, groups: dict[_Key, _OpenGroup], into: Path, files: ExitStack
) -> None:
    """Append the tracks of a record to the group of its model."""
    stored = record.tokens()
    entries = {track.track_id: track for track in record.header.tracks}
    if set(entries) != set(stored.track_ids.tolist()):
        raise RecordError(f"{record.folder}: {TOKENS_NAME} has other tracks than the record")
    if not entries:
        return
    model, width = record.header.model, stored.tokens.shape[1]
    key = (model.weights_sha256, record.header.classifier, width)
    group = groups.get(key)
    if group is None:
        stem = into / f"{len(groups)}-{model.name}"
        group = groups[key] = _OpenGroup(
            model=model,
            classifier=record.header.classifier,
            width=width,
            file=stem.name,
            tokens=files.enter_context(_tokens_path(stem).open("wb")),
            tracks=files.enter_context(_tracks_path(stem).open("wb")),
        )
    rows = np.zeros(len(entries), dtype=TRACK_DTYPE)
    for row, (track_id, object_score) in enumerate(zip(stored.track_ids, stored.object_scores, strict=True)):
        entry = entries[int(track_id)]
        span = (entry.first_time_s, entry.last_time_s, entry.num_frames)
        rows[row] = (number, int(track_id), float(object_score), *span)
    group.tokens.write(np.ascontiguousarray(stored.tokens, dtype=np.float32).tobytes())
    group.tracks.write(rows.tobytes())
    group.num_tracks += len(rows)
