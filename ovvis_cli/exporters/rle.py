"""masks.jsonl with labels: the record's lines, with label and label score in every instance."""

import json
from pathlib import Path

from ovvis_cli.atomic import atomic_path
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import MASKS_NAME
from ovvis_cli.record.serialise import frame_to_json, instance_to_json


def export_rle(record: Record, output: Path) -> Path:
    """Write every kept track, labelled or not, one line per frame.

    The record's own masks.jsonl has this format without the labels, which are in record.json. If `output` is
    that file, it is left unchanged.

    Raises:
        RecordError: the record is damaged.
        ResourceError: the disk is full or not writable.
    """
    if output.resolve() == (record.folder / MASKS_NAME).resolve():
        return output
    tracks = {track.track_id: track for track in record.header.tracks}
    with atomic_path(output) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for frame in record.frames():
            instances = [
                instance_to_json(instance)
                | {"label": tracks[instance.track_id].label, "label_score": tracks[instance.track_id].score}
                for instance in frame.instances
                if instance.track_id in tracks
            ]
            line = frame_to_json(frame) | {"instances": instances}
            out.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
    return output
