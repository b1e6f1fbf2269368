"""MOTS PNG format: a zip with one 16-bit PNG per analysed frame, for CVAT, Datumaro and TrackEval's tools.

A pixel has the value (class + 1) * 1000 + track, 0 for background; the classes are in labels.txt.
"""

from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, ZipFile

import cv2
import numpy as np
from jaxtyping import UInt16

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.flatten import OVERLAP_REASON, flatten
from ovvis_cli.exporters.frame_names import image_name, image_stem
from ovvis_cli.exporters.mask_loss import MaskLoss
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record, frame_size_hw

_FOLDER: Final = "default/instances"  # the subset of a CVAT task without subsets
_INSTANCES_PER_CLASS: Final = 1000
_MAX_CLASSES: Final = np.iinfo(np.uint16).max // _INSTANCES_PER_CLASS - 1


def export_mots_png(record: Record, output: Path) -> Path:
    """Write the labelled tracks to a zip file; instance number n is the n-th labelled track.

    Numbers are unique across classes, because CVAT takes equal numbers for one track. Only names with a track
    are listed in labels.txt.

    Raises:
        RecordError: the record is damaged, or has more tracks or classes than the format can number.
        ResourceError: the disk is full or not writable.
    """
    tracks = labelled_tracks(record.header)
    names = list(dict.fromkeys(track.label or "" for track in tracks.values()))
    if len(tracks) >= _INSTANCES_PER_CLASS or len(names) > _MAX_CLASSES:
        raise RecordError(
            f"{len(tracks)} labelled tracks of {len(names)} classes, but MOTS PNG can number only"
            f" {_INSTANCES_PER_CLASS - 1} of {_MAX_CLASSES}",
            hint="relabel with a higher --score-threshold or with --max-tracks",
        )
    values = {
        track_id: (names.index(track.label or "") + 1) * _INSTANCES_PER_CLASS + number
        for number, (track_id, track) in enumerate(tracks.items(), start=1)
    }
    loss = MaskLoss()
    stems: set[str] = set()
    with atomic_path(output) as partial, ZipFile(partial, "w", ZIP_STORED) as archive:
        archive.writestr(f"{_FOLDER}/labels.txt", "".join(f"{name}\n" for name in names))
        for frame in record.frames():
            frame_hw = frame_size_hw(frame, header=record.header)
            flat = flatten(frame, values=values, frame_hw=frame_hw, loss=loss)
            stem = image_stem(frame)
            stem = image_name(frame) if stem in stems else stem  # the second of 1.jpg and 1.png
            stems.add(stem)
            archive.writestr(f"{_FOLDER}/{stem}.png", _png(flat.astype(np.uint16)))
    loss.warn("mots-png", reason=OVERLAP_REASON)
    return output


def _png(values: UInt16[np.ndarray, "H W"]) -> bytes:
    _, data = cv2.imencode(".png", values)
    return data.tobytes()
