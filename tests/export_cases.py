"""Records that every export format has to keep: the example clip, odd sizes, one frame, no tracks, gaps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ovvis_cli.record.reader import Record, instance_mask
from tests.records import park_record, record_of_masks, source_info

Masks = Mapping[int, np.ndarray]  # by track id

LABELS = {1: "dog", 2: "skateboard", 3: "dog", 5: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCase:
    """A record and what is in it."""

    record: Record
    truth: Mapping[int, Masks]  # of the labelled tracks, by frame index and track id
    labels: Mapping[int, str]  # by track id
    scores: Mapping[int, float]  # of the labels, by track id


def odd_masks(frame_index: int, hw: tuple[int, int]) -> dict[int, np.ndarray]:
    """A dog of two parts with a hole, a skateboard over it that comes and goes, a speck, an unnamed thing."""
    height, width = hw
    masks = {track_id: np.zeros(hw, dtype=bool) for track_id in LABELS}
    left = 1 + frame_index
    masks[1][3 : height - 9, left : left + width // 3] = True
    masks[1][6:8, left + 3 : left + 5] = False
    masks[1][height - 6 : height - 3, width - 5 :] = True
    masks[2][height // 2 : height - 2, 2 : width - 4] = True
    masks[2][np.arange(height) % 3 == 0] = False
    masks[3][height - 1, width - 1] = True
    masks[5][0, :] = True
    if frame_index in (2, 3):
        del masks[2]
    if frame_index != 1:
        del masks[3]
    return masks


def _odd(folder: Path, *, num_frames: int, hw: tuple[int, int], stride: int = 1, left: int = 0) -> Record:
    video = folder / "odd clip.mp4"
    video.write_bytes(b"not really")
    source = replace(source_info(video, num_frames=num_frames + left), width=hw[1], height=hw[0])
    frames = {index: odd_masks(index, hw) for index in range(0, num_frames, stride)}
    seen = {track_id for masks in frames.values() for track_id in masks}
    labels = {track_id: label for track_id, label in LABELS.items() if track_id in seen}
    return record_of_masks(folder / "record", source=source, frames=frames, labels=labels, stride=stride)


def _without_labels(record: Record) -> Record:
    tracks = tuple(replace(track, label=None, score=None) for track in record.header.tracks)
    return record.with_header(replace(record.header, tracks=tracks))


_CASES: dict[str, Callable[[Path], Record]] = {
    "park": lambda folder: park_record(folder / "record", num_frames=20),
    "odd size": lambda folder: _odd(folder, num_frames=7, hw=(33, 47)),
    "not to the end": lambda folder: _odd(folder, num_frames=5, hw=(31, 29), left=3),
    "stride": lambda folder: _odd(folder, num_frames=7, hw=(33, 47), stride=2),
    "one frame": lambda folder: _odd(folder, num_frames=1, hw=(17, 31)),
    "no tracks": lambda folder: _without_labels(_odd(folder, num_frames=3, hw=(33, 47))),
}
CASE_NAMES = tuple(_CASES)


def build_case(name: str, folder: Path) -> ExportCase:
    """Write the record of a case into a folder."""
    record = _CASES[name](folder)
    labels = {track.track_id: track.label for track in record.header.tracks if track.label is not None}
    truth = {
        frame.frame_index: {
            instance.track_id: instance_mask(instance)
            for instance in frame.instances
            if instance.track_id in labels
        }
        for frame in record.frames()
    }
    scores = {track.track_id: track.score for track in record.header.tracks if track.score is not None}
    return ExportCase(record=record, truth=truth, labels=labels, scores=scores)


def without_overlaps(case: ExportCase) -> dict[int, dict[int, np.ndarray]]:
    """The masks as formats keep them that give each pixel to one track: the better object score wins."""
    kept = {}
    for frame in case.record.frames():
        free = np.ones(next(iter(frame.instances)).rle.size_hw, dtype=bool) if frame.instances else None
        masks: dict[int, np.ndarray] = {}
        for instance in sorted(frame.instances, key=lambda instance: -instance.score):
            if instance.track_id in case.labels and free is not None:
                mask = instance_mask(instance) & free
                free &= ~mask
                if mask.any():
                    masks[instance.track_id] = mask
        kept[frame.frame_index] = masks
    return kept
