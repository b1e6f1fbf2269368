"""CVAT for video 1.1: a zip with one polygon track per labelled track, and the labels of the task.

CVAT has no tracks of masks: of a `<track>` of masks it imports the first one only. So each mask becomes one
polygon per frame, with parts and holes joined (see polygons.py).
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from jaxtyping import Float

from ovvis_cli.atomic import atomic_path
from ovvis_cli.exporters.colors import track_color
from ovvis_cli.exporters.mask_loss import MaskLoss
from ovvis_cli.exporters.polygons import changed_px, instance_polygon
from ovvis_cli.exporters.spool import TrackSpool
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import RecordHeader, TrackEntry
from ovvis_cli.rle import rle_area


def export_cvat(record: Record, output: Path) -> Path:
    """Write `annotations.xml` and `labels.json` (for the "Raw" tab of a task's labels) into a zip file.

    A track has a key frame in every analysed frame where it is visible, and ends with an `outside` shape
    wherever it disappears. With `--stride`, CVAT interpolates between the analysed frames. For a folder of
    images, frame n is the n-th image in natural order.

    Raises:
        RecordError: the record is damaged.
        ResourceError: the disk is full or not writable.
    """
    header = record.header
    tracks = labelled_tracks(header)
    with (
        atomic_path(output) as partial,
        TrackSpool(output.parent) as spool,
        ZipFile(partial, "w", ZIP_DEFLATED) as archive,
    ):
        next_frames = _spool_polygons(record, tracks=tracks, spool=spool)
        archive.writestr("labels.json", json.dumps(_labels(tracks), indent=1))
        with archive.open("annotations.xml", "w", force_zip64=True) as xml:
            _write(xml, f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n{_meta(header, tracks)}')
            for track_id, track in tracks.items():
                _write(xml, f'<track id="{track_id}" label={quoteattr(track.label or "")} source="file">\n')
                for shape in _shapes(spool.entries(track_id), next_frames=next_frames):
                    _write(xml, shape)
                _write(xml, "</track>\n")
            _write(xml, "</annotations>\n")
    return output


def _spool_polygons(
    record: Record, *, tracks: dict[int, TrackEntry], spool: TrackSpool
) -> dict[int, int | None]:
    """Spool the points of every polygon, and return the analysed frame that follows each one, if any."""
    loss = MaskLoss()
    next_frames: dict[int, int | None] = {}
    last_frame: int | None = None
    for frame in record.frames():
        if last_frame is not None:
            next_frames[last_frame] = frame.frame_index
        last_frame = frame.frame_index
        for instance in frame.instances:
            if instance.track_id in tracks:
                polygon = instance_polygon(instance)
                loss.add(lost_px=changed_px(polygon, instance.rle), total_px=rle_area(instance.rle))
                spool.append(_points(polygon), track_id=instance.track_id, frame_index=last_frame)
    if last_frame is not None:
        next_frames[last_frame] = _frame_after(last_frame, header=record.header)
    loss.warn("cvat", reason="a polygon cannot follow the mask")
    return next_frames


def _frame_after(last_frame: int, *, header: RecordHeader) -> int | None:
    """Return the frame after the last analysed one where a track ends; None if the video ends there."""
    source, analysed = header.source, header.analysed
    if source.num_frames is not None:
        following = last_frame + analysed.stride
        return following if following < source.num_frames else None
    if source.duration_s is None or source.average_rate is None or analysed.end_s is None:
        return None
    frame_s = float(1 / Fraction(source.average_rate))
    return last_frame + 1 if analysed.end_s <= source.duration_s - frame_s else None


def _shapes(polygons: Iterator[tuple[int, str]], *, next_frames: dict[int, int | None]) -> Iterator[str]:
    """Yield the shapes of one track; wherever it disappears, its last polygon again, outside."""
    ends_at: int | None = None
    last_points = ""
    for frame_index, points in polygons:
        if ends_at is not None and ends_at != frame_index:
            yield _shape(ends_at, points=last_points, outside=True)
        yield _shape(frame_index, points=points, outside=False)
        ends_at, last_points = next_frames[frame_index], points
    if ends_at is not None:
        yield _shape(ends_at, points=last_points, outside=True)


def _shape(frame_index: int, *, points: str, outside: bool) -> str:
    where = f'frame="{frame_index}" keyframe="1" outside="{int(outside)}" occluded="0"'
    return f'<polygon {where} points="{points}" z_order="0"/>\n'


def _points(polygon: Float[np.ndarray, "P 2"]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in polygon.tolist())


def _meta(header: RecordHeader, tracks: dict[int, TrackEntry]) -> str:
    names = "".join(f"<label><name>{escape(name)}</name></label>" for name in _names(tracks))
    size = f"<width>{header.source.width}</width><height>{header.source.height}</height>"
    task = f"<task><labels>{names}</labels><original_size>{size}</original_size></task>"
    return f"<version>1.1</version>\n<meta>{task}</meta>\n"


def _labels(tracks: dict[int, TrackEntry]) -> list[dict[str, object]]:
    return [
        {"name": name, "type": "polygon", "color": "#{:02x}{:02x}{:02x}".format(*track_color(number))}
        | {"attributes": []}
        for number, name in enumerate(_names(tracks))
    ]


def _names(tracks: dict[int, TrackEntry]) -> list[str]:
    return list(dict.fromkeys(track.label or "" for track in tracks.values()))


def _write(xml: IO[bytes], text: str) -> None:
    xml.write(text.encode("utf-8"))
