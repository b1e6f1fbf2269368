"""BURST format: one sequence with the run-length masks of its tracks, frame by frame."""

import json
from pathlib import Path

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.frame_names import image_name
from ovvis_cli.exporters.tracks import VIDEO_ID, categories, category_ids, labelled_tracks
from ovvis_cli.record.reader import Record, frame_size_hw
from ovvis_cli.record.schema import FrameLine, RecordHeader, TrackEntry


def export_burst(record: Record, output: Path) -> Path:
    """Write the labelled tracks to `output`, with their ids and the score of their label.

    The sequence has the name of the video or folder, and the data set the name of the folder around it, as in
    BURST's own folders.

    Raises:
        RecordError: the record is damaged, or its images have several sizes, which the format cannot hold.
        ResourceError: the disk is full or not writable.
    """
    tracks = labelled_tracks(record.header)
    with atomic_path(output) as partial, partial.open("w", encoding="utf-8") as out:
        names = [image_name(frame) for frame in record.frames()]
        sequence = json.dumps(_sequence(record.header, tracks=tracks, names=names))
        out.write(f'{{"sequences": [{sequence[:-1]}, "segmentations": [')
        for number, frame in enumerate(record.frames()):
            _check_size(frame, header=record.header)
            out.write((",\n" if number else "\n") + json.dumps(_masks(frame, tracks=tracks)))
        out.write(f']}}],\n"categories": {json.dumps(categories(record.header))}}}\n')
    return output


def _sequence(header: RecordHeader, *, tracks: dict[int, TrackEntry], names: list[str]) -> dict[str, object]:
    category_of = category_ids(header)
    path = Path(header.source.path)
    return {
        "id": VIDEO_ID,
        "dataset": path.parent.name,
        "seq_name": path.name if header.source.kind == "images" else path.stem,
        "height": header.source.height,
        "width": header.source.width,
        "annotated_image_paths": names,
        "all_image_paths": names,
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
        "track_category_ids": {
            str(track_id): category_of[track.label or ""] for track_id, track in tracks.items()
        },
    }


def _masks(frame: FrameLine, *, tracks: dict[int, TrackEntry]) -> dict[str, object]:
    return {
        str(instance.track_id): {
            "rle": instance.rle.counts,
            "is_gt": False,
            "score": tracks[instance.track_id].score,
        }
        for instance in frame.instances
        if instance.track_id in tracks
    }


def _check_size(frame: FrameLine, *, header: RecordHeader) -> None:
    if frame_size_hw(frame, header=header) != (header.source.height, header.source.width):
        raise RecordError(
            f"{image_name(frame)} is not as large as the first image, but a BURST sequence has one size",
            hint="export coco instead",
        )
