"""YouTube-VIS results format: a list with one entry per track, which has one mask or null per frame."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ovvis_cli.atomic import atomic_path
from ovvis_cli.exporters.spool import TrackSpool
from ovvis_cli.exporters.tracks import VIDEO_ID, category_ids, labelled_tracks
from ovvis_cli.record.reader import Record


def export_ytvis(record: Record, output: Path) -> Path:
    """Write the labelled tracks to `output`; entry i of `segmentations` is frame i of the video.

    Frames that were not analysed (`--stride`, `--start`) are null, like frames where the track is absent. If
    the source was not read to its end (`--end`), the list ends with the last analysed frame. Masks are
    spooled to a temporary file, so that memory does not grow with the video.

    Raises:
        RecordError: the record is damaged.
        ResourceError: the disk is full or not writable.
    """
    categories = category_ids(record.header)
    tracks = labelled_tracks(record.header)
    with (
        atomic_path(output) as partial,
        partial.open("w", encoding="utf-8") as out,
        TrackSpool(output.parent) as spool,
    ):
        last_frame = -1
        for frame in record.frames():
            last_frame = frame.frame_index
            for instance in frame.instances:
                if instance.track_id in tracks:
                    rle = json.dumps(instance.rle.to_dict())
                    spool.append(rle, track_id=instance.track_id, frame_index=last_frame)
        num_frames = max(record.header.source.num_frames or 0, last_frame + 1)
        out.write("[")
        for number, (track_id, track) in enumerate(tracks.items()):
            category_id = categories[track.label or ""]
            entry = {"video_id": VIDEO_ID, "category_id": category_id, "score": track.score}
            out.write((",\n" if number else "\n") + json.dumps(entry)[:-1] + ', "segmentations": [')
            _write_masks(out, masks=spool.entries(track_id), num_frames=num_frames)
            out.write("]}")
        out.write("\n]\n")
    return output


def _write_masks(out: IO[str], *, masks: Iterator[tuple[int, str]], num_frames: int) -> None:
    """Write the masks of one track separated by commas, null where it has none."""
    written = 0
    for frame_index, rle in masks:
        out.write("null, " * (frame_index - written) + rle)
        written = frame_index + 1
        out.write(", " if written < num_frames else "")
    out.write(", ".join(["null"] * (num_frames - written)))
