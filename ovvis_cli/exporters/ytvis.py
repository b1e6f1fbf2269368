"""YouTube-VIS results format: a list with one entry per track, which has one mask or null per frame."""

import json
import tempfile
from array import array
from pathlib import Path
from typing import IO, NamedTuple

from ovvis_cli.atomic import atomic_path
from ovvis_cli.exporters.tracks import VIDEO_ID, category_ids, labelled_tracks
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import TrackEntry


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
        tempfile.TemporaryFile(dir=output.parent) as spool,
    ):
        places, num_frames = _spool_masks(record, tracks=tracks, spool=spool)
        out.write("[")
        for number, (track_id, track) in enumerate(tracks.items()):
            category_id = categories[track.label or ""]
            entry = {"video_id": VIDEO_ID, "category_id": category_id, "score": track.score}
            out.write((",\n" if number else "\n") + json.dumps(entry)[:-1] + ', "segmentations": [')
            _write_masks(out, places=places[track_id], num_frames=num_frames, spool=spool)
            out.write("]}")
        out.write("\n]\n")
    return output


class _Places(NamedTuple):
    """Offsets in the spool file of the masks of one track, frame by frame."""

    frames: "array[int]"
    offsets: "array[int]"
    lengths: "array[int]"


def _spool_masks(
    record: Record, *, tracks: dict[int, TrackEntry], spool: IO[bytes]
) -> tuple[dict[int, _Places], int]:
    places = {track_id: _Places(array("q"), array("q"), array("q")) for track_id in tracks}
    last_frame = -1
    for frame in record.frames():
        last_frame = frame.frame_index
        for instance in frame.instances:
            if instance.track_id not in places:
                continue
            data = json.dumps(instance.rle.to_dict()).encode("ascii")
            place = places[instance.track_id]
            place.frames.append(frame.frame_index)
            place.offsets.append(spool.tell())
            place.lengths.append(len(data))
            spool.write(data)
    return places, max(record.header.source.num_frames or 0, last_frame + 1)


def _write_masks(out: IO[str], *, places: _Places, num_frames: int, spool: IO[bytes]) -> None:
    """Write the masks of one track separated by commas, null where it has none."""
    written = 0
    for frame_index, offset, length in zip(places.frames, places.offsets, places.lengths, strict=True):
        spool.seek(offset)
        out.write("null, " * (frame_index - written) + spool.read(length).decode("ascii"))
        written = frame_index + 1
        out.write(", " if written < num_frames else "")
    out.write(", ".join(["null"] * (num_frames - written)))
