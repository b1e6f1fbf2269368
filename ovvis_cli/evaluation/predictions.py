"""Stored results of a model on a data set: one file per video, so that an interrupted run can resume."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from ovvis_cli.atomic import atomic_path, disk_errors, write_text_atomic
from ovvis_cli.data.documents import read_json
from ovvis_cli.errors import AnnotationError, UsageError
from ovvis_cli.rle import Rle, RleDict

_VERSION: Final = 2
RESULTS_NAME: Final = "results.json"


class ResultEntry(TypedDict):
    """One entry of a results file in the YouTube-VIS format; `segmentations` has one item per frame."""

    video_id: int
    category_id: int
    score: float
    segmentations: list[RleDict | None]


class _TrackEntry(TypedDict):
    track_id: int
    labels: list[tuple[int, float]]
    segmentations: list[RleDict | None]


class _VideoEntry(TypedDict):
    version: int
    fingerprint: str
    video_id: int
    num_frames: int
    seconds: float
    tracks: list[_TrackEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTrack:
    """One predicted track: labels (category id, score), best first, and one mask per frame."""

    track_id: int
    labels: tuple[tuple[int, float], ...]
    masks: tuple[Rle | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPredictions:
    """Results of one video and the time in seconds that it took."""

    video_id: int
    num_frames: int
    tracks: tuple[LabelledTrack, ...]
    seconds: float


class PredictionStore:
    """Store of a run's results in FOLDER/videos. `fingerprint` identifies the settings they depend on."""

    def __init__(self, folder: Path, *, fingerprint: str) -> None:
        self.folder = folder / "videos"
        self._fingerprint = fingerprint

    def has(self, video_id: int) -> bool:
        """Return whether there are results of a video; they are written atomically."""
        return self._path(video_id).is_file()

    def save(self, predictions: VideoPredictions) -> None:
        """Write the results of a video. Raises ResourceError if the disk is full or not writable."""
        entry: _VideoEntry = {
            "version": _VERSION,
            "fingerprint": self._fingerprint,
            "video_id": predictions.video_id,
            "num_frames": predictions.num_frames,
            "seconds": predictions.seconds,
            "tracks": [_track_entry(track) for track in predictions.tracks],
        }
        write_text_atomic(self._path(predictions.video_id), json.dumps(entry, separators=(",", ":")))

    def load(self, video_id: int) -> VideoPredictions:
        """Read the results of a video.

        Raises:
            UsageError: they are from a run with another model, data set or settings.
            AnnotationError: the file is damaged.
        """
        predictions, fingerprint = _read(self._path(video_id))
        if fingerprint != self._fingerprint:
            raise UsageError(
                f"{self.folder.parent} holds results of another model, data set or settings",
                hint="choose another --output, or add --overwrite to replace them",
            )
        return predictions

    def clear(self) -> None:
        """Remove all results."""
        with disk_errors(self.folder):
            for path in self.folder.glob("*.json"):
                path.unlink()

    def _path(self, video_id: int) -> Path:
        return self.folder / f"{video_id}.json"


def read_predictions(path: Path) -> VideoPredictions:
    """Read the results of a video without checking their fingerprint.

    Raises:
        AnnotationError: the file is damaged or has another version.
    """
    predictions, _ = _read(path)
    return predictions


def _read(path: Path) -> tuple[VideoPredictions, object]:
    """Return the results in a file and their fingerprint."""
    content = read_json(path)
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise AnnotationError(f"{path}: not a results file of this version", hint="add --overwrite")
    try:
        return _predictions(content), content["fingerprint"]
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationError(f"{path}: damaged", hint="remove the file to run its video again") from error


def result_entries(predictions: VideoPredictions) -> list[ResultEntry]:
    """Return the entries of a video in the official results format, best first."""
    entries: list[ResultEntry] = [
        {
            "video_id": predictions.video_id,
            "category_id": category_id,
            "score": score,
            "segmentations": _segmentations(track.masks),
        }
        for track in predictions.tracks
        for category_id, score in track.labels
    ]
    return sorted(entries, key=lambda entry: -entry["score"])


def write_results(path: Path, videos: Iterable[Sequence[ResultEntry]]) -> None:
    """Write a results file video by video, with one video in memory at a time.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8") as file:
        separator = "["
        for entries in videos:
            for entry in entries:
                file.write(separator + json.dumps(entry, separators=(",", ":")))
                separator = ",\n"
        file.write("[]" if separator == "[" else "]")


def _track_entry(track: LabelledTrack) -> _TrackEntry:
    return {
        "track_id": track.track_id,
        "labels": list(track.labels),
        "segmentations": _segmentations(track.masks),
    }


def _segmentations(masks: Sequence[Rle | None]) -> list[RleDict | None]:
    return [None if rle is None else rle.to_dict() for rle in masks]


def _predictions(content: dict[str, object]) -> VideoPredictions:
    """Parse the results of a video; raise KeyError, TypeError or ValueError if an entry is invalid."""
    entry: _VideoEntry = content  # type: ignore[assignment]  # checked by use
    return VideoPredictions(
        video_id=int(entry["video_id"]),
        num_frames=int(entry["num_frames"]),
        seconds=float(entry["seconds"]),
        tracks=tuple(
            LabelledTrack(
                track_id=int(track["track_id"]),
                labels=tuple((int(category_id), float(score)) for category_id, score in track["labels"]),
                masks=tuple(None if mask is None else _rle(mask) for mask in track["segmentations"]),
            )
            for track in entry["tracks"]
        ),
    )


def _rle(mask: RleDict) -> Rle:
    height, width = mask["size"]
    return Rle(size_hw=(int(height), int(width)), counts=str(mask["counts"]))
