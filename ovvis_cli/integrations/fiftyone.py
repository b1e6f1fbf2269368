"""A record as samples of FiftyOne."""

from pathlib import Path
from typing import TYPE_CHECKING

from ovvis_cli.errors import UsageError
from ovvis_cli.record.reader import Record, frame_size_hw, instance_mask
from ovvis_cli.record.schema import FrameLine, TrackEntry

if TYPE_CHECKING:
    import fiftyone


def to_fiftyone(record: Record) -> "list[fiftyone.Sample]":
    """Return one sample of a video, or one per image of a folder of images, for `dataset.add_samples`.

    The field `ovvis` holds the labelled instances: mask, box, label, `confidence` (score of the label),
    `index` (track id), and one `fiftyone.Instance` per track, which links its frames. Frames of a video
    count from 1. All masks are held in memory.

    Raises:
        UsageError: the package fiftyone is not installed.
        RecordError: the record is damaged.
    """
    try:
        import fiftyone
    except ModuleNotFoundError as error:
        raise UsageError("the package fiftyone is not installed", hint="pip install fiftyone") from error

    path = Path(record.header.source.path)
    tracks = {track.track_id: track for track in record.header.tracks if track.label is not None}
    links = {track_id: fiftyone.Instance() for track_id in tracks}
    found = (
        (frame, _detections(frame, record=record, tracks=tracks, links=links)) for frame in record.frames()
    )
    if record.header.source.kind == "images":
        return [
            fiftyone.Sample(filepath=str(path / frame.image.name), ovvis=detections)
            for frame, detections in found
            if frame.image is not None
        ]
    sample = fiftyone.Sample(filepath=str(path))
    for frame, detections in found:
        sample.frames[frame.frame_index + 1] = fiftyone.Frame(ovvis=detections)
    return [sample]


def _detections(
    frame: FrameLine,
    *,
    record: Record,
    tracks: dict[int, TrackEntry],
    links: "dict[int, fiftyone.Instance]",
) -> "fiftyone.Detections":
    import fiftyone

    frame_height, frame_width = frame_size_hw(frame, header=record.header)
    detections = []
    for instance in frame.instances:
        track = tracks.get(instance.track_id)
        if track is None:
            continue
        x, y, width, height = instance.box_xywh
        detections.append(
            fiftyone.Detection(
                label=track.label,
                bounding_box=[
                    x / frame_width,
                    y / frame_height,
                    width / frame_width,
                    height / frame_height,
                ],
                mask=instance_mask(instance)[y : y + height, x : x + width],
                confidence=track.score,
                index=track.track_id,
                instance=links[track.track_id],
            )
        )
    return fiftyone.Detections(detections=detections)
