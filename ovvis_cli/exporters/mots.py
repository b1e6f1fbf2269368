"""MOTS text format: one line per instance, `frame id class_id height width rle`; masks do not overlap."""

from pathlib import Path

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.flatten import OVERLAP_REASON, flatten
from ovvis_cli.exporters.mask_loss import MaskLoss
from ovvis_cli.exporters.tracks import category_ids, labelled_tracks
from ovvis_cli.record.reader import Record, frame_size_hw
from ovvis_cli.rle import encode_masks

_IDS_PER_CLASS = 1000  # id = class_id * 1000 + instance


def export_mots(record: Record, output: Path) -> Path:
    """Write the labelled tracks to `output`; instance number n is the n-th labelled track.

    Raises:
        RecordError: the record is damaged, or has more tracks than the format can number.
        ResourceError: the disk is full or not writable.
    """
    tracks, category_of = labelled_tracks(record.header), category_ids(record.header)
    if len(tracks) >= _IDS_PER_CLASS:
        raise RecordError(
            f"{len(tracks)} labelled tracks, but MOTS can number only {_IDS_PER_CLASS - 1}",
            hint="relabel with a higher --score-threshold or with --max-tracks",
        )
    numbers = {track_id: number for number, track_id in enumerate(tracks, start=1)}
    loss = MaskLoss()
    with atomic_path(output) as partial, partial.open("w", encoding="ascii", newline="\n") as out:
        for frame in record.frames():
            frame_hw = frame_size_hw(frame, header=record.header)
            flat = flatten(frame, values=numbers, frame_hw=frame_hw, loss=loss)
            for track_id in sorted(entry.track_id for entry in frame.instances if entry.track_id in numbers):
                number = numbers[track_id]
                mask = flat == number
                if mask.any():
                    (rle,) = encode_masks(mask[None])
                    class_id = category_of[tracks[track_id].label or ""]
                    size = f"{frame_hw[0]} {frame_hw[1]}"
                    instance_id = class_id * _IDS_PER_CLASS + number
                    out.write(f"{frame.frame_index} {instance_id} {class_id} {size} {rle.counts}\n")
    loss.warn("mots", reason=OVERLAP_REASON)
    return output
