"""Label Studio: one video task with a box track per labelled track, as predictions. It has no video masks."""

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.spool import TrackSpool
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import FrameLine, InstanceLine, RecordHeader, TrackEntry

_Json = dict[str, object]


def export_label_studio(record: Record, output: Path) -> Path:
    """Write the boxes of the labelled tracks; region `track-3` is track 3.

    A track has a box in every analysed frame where it is visible; the last box before a gap is marked as the
    end of a span (`enabled` false).

    Raises:
        RecordError: the record is damaged, or is one of images, of which Label Studio has no tracks.
        ResourceError: the disk is full or not writable.
    """
    header = record.header
    if header.source.kind == "images":
        raise RecordError(
            f"{record.folder} is of a folder of images, but Label Studio tracks boxes only in videos",
            hint="export coco or yolo-seg instead",
        )
    tracks = labelled_tracks(header)
    with (
        atomic_path(output) as partial,
        partial.open("w", encoding="utf-8") as out,
        TrackSpool(output.parent) as spool,
    ):
        last = _spool_boxes(record, tracks=tracks, spool=spool)
        length = _length(header, last=last)
        task = {"data": {"video": Path(header.source.path).name}}
        out.write(f'[{json.dumps(task)[:-1]}, "predictions": [')
        out.write(f'{{"model_version": {json.dumps(header.model.name)}, "result": [')
        for number, (track_id, track) in enumerate(tracks.items()):
            value = json.dumps(length | {"labels": [track.label]})
            region = json.dumps(_region(track_id, track))
            out.write((",\n" if number else "\n") + f'{region[:-1]}, "value": {value[:-1]}, "sequence": [')
            out.write(",\n".join(_sequence(spool.entries(track_id))) + "]}}")
        out.write("]}]}]\n")
    return output


def _spool_boxes(record: Record, *, tracks: dict[int, TrackEntry], spool: TrackSpool) -> FrameLine | None:
    """Spool the position of each analysed frame and its boxes; return the last frame."""
    header, frame = record.header, None
    for position, frame in enumerate(record.frames()):
        for instance in frame.instances:
            if instance.track_id in tracks:
                box = json.dumps({"position": position} | _box(frame, instance=instance, header=header))
                spool.append(box, track_id=instance.track_id, frame_index=frame.frame_index)
    return frame


def _box(frame: FrameLine, *, instance: InstanceLine, header: RecordHeader) -> _Json:
    x, y, width, height = instance.box_xywh
    return {
        "frame": frame.frame_index + 1,
        "time": frame.time_s,
        "x": 100 * x / header.source.width,
        "y": 100 * y / header.source.height,
        "width": 100 * width / header.source.width,
        "height": 100 * height / header.source.height,
        "rotation": 0,
    }


def _sequence(entries: Iterator[tuple[int, str]]) -> Iterator[str]:
    boxes = (json.loads(text) for _, text in entries)
    box = next(boxes, None)
    while box is not None:
        following = next(boxes, None)
        position = box.pop("position")
        continues = following is not None and following["position"] == position + 1
        yield json.dumps(box | {"enabled": continues})
        box = following


def _region(track_id: int, track: TrackEntry) -> _Json:
    return {
        "id": f"track-{track_id}",
        "type": "videorectangle",
        "from_name": "box",
        "to_name": "video",
        "origin": "prediction",
        "score": track.score,
    }


def _length(header: RecordHeader, *, last: FrameLine | None) -> _Json:
    """Return the length of the video; at least up to the last analysed frame, where it is not known."""
    source = header.source
    num_frames = 0 if last is None else last.frame_index + 1
    duration_s = 0.0 if last is None else last.time_s
    if source.average_rate is not None:
        duration_s += float(1 / Fraction(source.average_rate))
        estimate = math.floor((source.duration_s or 0.0) * Fraction(source.average_rate) + 0.5)
        num_frames = max(num_frames, source.num_frames or estimate)
    return {"framesCount": num_frames, "duration": source.duration_s or duration_s}
