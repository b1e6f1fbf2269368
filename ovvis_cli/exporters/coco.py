"""COCO format: every analysed frame is an image; annotations carry their track."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ovvis_cli.atomic import atomic_path
from ovvis_cli.exporters.frame_names import image_name
from ovvis_cli.exporters.polygons import instance_polygon
from ovvis_cli.exporters.tracks import VIDEO_ID, categories, category_ids, labelled_tracks
from ovvis_cli.record.reader import Record, frame_size_hw
from ovvis_cli.rle import rle_area

_Json = dict[str, object]


def export_coco(record: Record, output: Path) -> Path:
    """Write the labelled instances to `output`; image_id is the frame index + 1.

    Each mask is one polygon, from which pycocotools restores the same mask: many tools read no run-length
    code, and CVAT makes tracks of polygons only.

    Raises:
        RecordError: the record is damaged.
        ResourceError: the disk is full or not writable.
    """
    source = record.header.source
    video = {
        "id": VIDEO_ID,
        "name": Path(source.path).name,
        "width": source.width,
        "height": source.height,
        "length": record.header.analysed.num_frames,
    }
    info = {"description": f"{Path(source.path).name}, segmented by ovvis ({record.header.model.name})"}
    with atomic_path(output) as partial, partial.open("w", encoding="utf-8") as out:
        out.write(
            '{"info": ' + json.dumps(info) + ', "licenses": [],\n"videos": [' + json.dumps(video) + "],\n"
        )
        out.write('"categories": ' + json.dumps(categories(record.header)) + ",\n")
        _write_list(out, name="images", entries=_images(record))
        out.write(",\n")
        _write_list(out, name="annotations", entries=_annotations(record))
        out.write("}\n")
    return output


def _images(record: Record) -> Iterator[_Json]:
    for frame in record.frames():
        height, width = frame_size_hw(frame, header=record.header)
        yield {
            "id": frame.frame_index + 1,
            "file_name": image_name(frame),
            "width": width,
            "height": height,
            "video_id": VIDEO_ID,
            "frame_id": frame.frame_index,
            "time": frame.time_s,
        }


def _annotations(record: Record) -> Iterator[_Json]:
    tracks, category_of = labelled_tracks(record.header), category_ids(record.header)
    number = 0
    for frame in record.frames():
        for instance in frame.instances:
            track = tracks.get(instance.track_id)
            if track is None:
                continue
            number += 1
            yield {
                "id": number,
                "image_id": frame.frame_index + 1,
                "video_id": VIDEO_ID,
                "category_id": category_of[track.label or ""],
                "track_id": instance.track_id,
                "score": track.score,
                "bbox": [float(value) for value in instance.box_xywh],
                "area": rle_area(instance.rle),
                "iscrowd": 0,
                "segmentation": [instance_polygon(instance).ravel().tolist()],
                "attributes": {"track_id": instance.track_id, "keyframe": True},  # CVAT makes tracks of both
            }


def _write_list(out: IO[str], *, name: str, entries: Iterable[_Json]) -> None:
    """Write one entry per line as they come, without holding the list in memory."""
    out.write(f'"{name}": [')
    for number, entry in enumerate(entries):
        out.write((",\n" if number else "\n") + json.dumps(entry))
    out.write("]")
