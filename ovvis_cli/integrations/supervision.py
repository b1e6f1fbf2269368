"""Frames of a record as `supervision.Detections`."""

from typing import TYPE_CHECKING

import numpy as np

from ovvis_cli.errors import UsageError
from ovvis_cli.record.reader import Record, frame_size_hw, instance_mask
from ovvis_cli.record.schema import FrameLine

if TYPE_CHECKING:
    import supervision


def to_supervision(record: Record, frame: FrameLine) -> "supervision.Detections":
    """Return the labelled instances of a frame.

    `xyxy` is in pixels, `mask` (N, height, width), `tracker_id` the track id, `class_id` the position of the
    name among the names asked, `confidence` the score of the track's label. `data` has `class_name` and
    `object_score`, the score in this frame.

    Raises:
        UsageError: the package supervision is not installed.
        RecordError: a mask is damaged.
    """
    try:
        import supervision
    except ModuleNotFoundError as error:
        raise UsageError(
            "the package supervision is not installed", hint="pip install supervision"
        ) from error

    tracks = {track.track_id: track for track in record.header.tracks if track.label is not None}
    names = record.header.vocabulary.names
    shown = [instance for instance in frame.instances if instance.track_id in tracks]
    labels = [tracks[instance.track_id].label or "" for instance in shown]
    masks = np.zeros((len(shown), *frame_size_hw(frame, header=record.header)), dtype=np.bool_)
    boxes = np.zeros((len(shown), 4), dtype=np.float32)
    for row, instance in enumerate(shown):
        masks[row] = instance_mask(instance)
        x, y, width, height = instance.box_xywh
        boxes[row] = (x, y, x + width, y + height)
    return supervision.Detections(
        xyxy=boxes,
        mask=masks,
        confidence=np.array([tracks[instance.track_id].score for instance in shown], dtype=np.float32),
        class_id=np.array([names.index(label) for label in labels], dtype=np.int64),
        tracker_id=np.array([instance.track_id for instance in shown], dtype=np.int64),
        data={
            "class_name": np.array(labels, dtype=np.str_),
            "object_score": np.array([instance.score for instance in shown], dtype=np.float32),
        },
    )
