"""CSV format: one row per instance, without masks, for spreadsheets and data frames."""

import csv
from pathlib import Path

from ovvis_cli.atomic import atomic_path
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record
from ovvis_cli.rle import rle_area

_COLUMNS = (
    "frame",
    "time_s",
    "track",
    "label",
    "label_score",
    "score",
    "x_px",
    "y_px",
    "width_px",
    "height_px",
    "area_px",
)


def export_csv(record: Record, output: Path) -> Path:
    """Write the labelled instances to `output`; `score` is the object score in the frame, [0, 1].

    Of a folder of images there is a last column with the name of the image.

    Raises:
        RecordError: the record is damaged.
        ResourceError: the disk is full or not writable.
    """
    tracks = labelled_tracks(record.header)
    has_images = record.header.source.kind == "images"
    with atomic_path(output) as partial, partial.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow((*_COLUMNS, "image") if has_images else _COLUMNS)
        for frame in record.frames():
            for instance in frame.instances:
                track = tracks.get(instance.track_id)
                if track is not None:
                    what = (instance.track_id, track.label, track.score, instance.score)
                    where = (*instance.box_xywh, rle_area(instance.rle))
                    name = () if not has_images else ("" if frame.image is None else frame.image.name,)
                    table.writerow((frame.frame_index, frame.time_s, *what, *where, *name))
    return output
