"""Conversion of the core's results to record values."""

from collections.abc import Mapping, Sequence

from ovvis_cli.record.schema import FrameLine, ImageEntry, InstanceLine, TrackEntry, TrackLabel
from ovvis_cli.rle import encode_masks, rle_area, rle_box
from ovvis_models.structures import FrameResult, TrackSummary


def encode_frame(result: FrameResult, *, time_s: float, image: ImageEntry | None = None) -> FrameLine:
    """Convert one frame's results, sorted by track id; tracks with an empty mask are left out."""
    entries = zip(result.track_ids.tolist(), result.scores.tolist(), encode_masks(result.masks), strict=True)
    instances = (
        InstanceLine(track_id=track_id, score=score, box_xywh=rle_box(rle), rle=rle)
        for track_id, score, rle in sorted(entries, key=lambda entry: entry[0])
        if rle_area(rle) > 0
    )
    return FrameLine(frame_index=result.frame_index, time_s=time_s, instances=tuple(instances), image=image)


def track_entries(
    tracks: Sequence[TrackSummary],
    *,
    labels: Sequence[TrackLabel],
    times_s: Mapping[int, tuple[float, float]],
) -> tuple[TrackEntry, ...]:
    """Build the header's track entries, sorted by track id.

    Args:
        tracks: summaries of the tracks, from the core.
        labels: label of each track, in the same order.
        times_s: first and last time of each written track, from `RecordWriter.track_times()`; a track
            that never had a mask is not in it and is left out.
    """
    entries = [
        TrackEntry(
            track_id=track.track_id,
            label=label.label,
            score=label.score,
            object_score=track.object_score,
            runner_up=label.runner_up,
            first_frame=track.first_frame,
            last_frame=track.last_frame,
            first_time_s=times_s[track.track_id][0],
            last_time_s=times_s[track.track_id][1],
            num_frames=track.num_frames,
        )
        for track, label in zip(tracks, labels, strict=True)
        if track.track_id in times_s
    ]
    return tuple(sorted(entries, key=lambda entry: entry.track_id))
