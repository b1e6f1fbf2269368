"""YOLO segmentation: a folder of label files, one per analysed frame, for training with ultralytics.

A line is `class x1 y1 x2 y2 ...`, coordinates relative to the size of the image. The format has no track ids;
tracks.csv has them, line by line.
"""

import csv
import json
from pathlib import Path, PurePath
from typing import IO, Any, Final

import cv2
import numpy as np
from jaxtyping import Float

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError, UsageError
from ovvis_cli.exporters.frame_names import image_stem
from ovvis_cli.exporters.mask_loss import MaskLoss
from ovvis_cli.exporters.polygons import instance_polygon
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record, frame_size_hw, instance_mask
from ovvis_cli.record.schema import FrameLine, InstanceLine, RecordHeader

_SETTINGS_NAME: Final = "data.yaml"
_TRACKS_NAME: Final = "tracks.csv"
_LABELS_NAME: Final = "labels"
_OWN_NAMES: Final = frozenset({_SETTINGS_NAME, _TRACKS_NAME, _LABELS_NAME})


def export_yolo_seg(record: Record, output: Path) -> Path:
    """Write data.yaml, tracks.csv and labels/NAME_12.txt, ... (frames from 1, as ultralytics numbers them).

    For a folder of images, each label file has the name of its image. Classes are numbered from 0 in the
    order asked.

    Raises:
        RecordError: the record is damaged, or two images differ only in their suffix.
        UsageError: `output` is a folder that holds other files, which would be lost.
        ResourceError: the disk is full or not writable.
    """
    if output.is_dir() and not {entry.name for entry in output.iterdir()} <= _OWN_NAMES:
        raise UsageError(f"{output} holds other files", hint="give a new folder with --output")
    loss = MaskLoss()
    with atomic_path(output) as partial:
        (partial / _LABELS_NAME).mkdir(parents=True)
        (partial / _SETTINGS_NAME).write_text(_settings(record.header), encoding="utf-8")
        with (partial / _TRACKS_NAME).open("w", encoding="utf-8", newline="") as table:
            _write_labels(record, folder=partial / _LABELS_NAME, table=table, loss=loss)
    loss.warn("yolo-seg", reason="the lines that join parts and holes of an object have a width")
    return output


def _write_labels(record: Record, *, folder: Path, table: IO[str], loss: MaskLoss) -> None:
    tracks = labelled_tracks(record.header)
    class_of = {name: number for number, name in enumerate(record.header.vocabulary.names)}
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("file", "line", "track", "score"))
    for frame in record.frames():
        path = folder / f"{_stem(frame, header=record.header)}.txt"
        if path.exists():
            raise RecordError(
                f"two images are named {path.stem}, but YOLO has one label file per name",
                hint="rename one of them, or export coco instead",
            )
        shown = [instance for instance in frame.instances if instance.track_id in tracks]
        frame_hw = frame_size_hw(frame, header=record.header)
        lines = []
        for number, instance in enumerate(shown, start=1):
            track = tracks[instance.track_id]
            polygon = instance_polygon(instance)
            lines.append(f"{class_of[track.label or '']} {_coordinates(polygon, frame_hw=frame_hw)}\n")
            rows.writerow((path.name, number, instance.track_id, track.score))
            _count_loss(loss, polygon=polygon, instance=instance)
        path.write_text("".join(lines), encoding="ascii")


def _stem(frame: FrameLine, *, header: RecordHeader) -> str:
    if frame.image is not None:
        return image_stem(frame)
    return f"{PurePath(header.source.path).stem}_{frame.frame_index + 1}"


def _coordinates(polygon: Float[np.ndarray, "P 2"], *, frame_hw: tuple[int, int]) -> str:
    height, width = frame_hw
    return " ".join(f"{value:g}" for value in (polygon / (width, height)).ravel().tolist())


def _count_loss(loss: MaskLoss, *, polygon: Float[np.ndarray, "P 2"], instance: InstanceLine) -> None:
    """Compare with the mask that ultralytics makes of a polygon: filled including its outline."""
    mask = instance_mask(instance)
    filled: np.ndarray[Any, np.dtype[np.uint8]] = np.zeros(mask.shape, dtype=np.uint8)
    cv2.fillPoly(filled, [polygon.astype(np.int32)], 1)
    changed = np.count_nonzero(filled.astype(bool) != mask)
    loss.add(lost_px=int(changed), total_px=int(np.count_nonzero(mask)))


def _settings(header: RecordHeader) -> str:
    names = "".join(
        f"  {number}: {json.dumps(name, ensure_ascii=False)}\n"
        for number, name in enumerate(header.vocabulary.names)
    )
    return f"train: images\nval: images\nnames:\n{names}"
