"""Overlay video: a second read of the source, with masks, contours and final labels drawn on it."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt8

from ovvis_cli.atomic import atomic_path
from ovvis_cli.exporters.drawing import DrawnInstance, Painter, boxed
from ovvis_cli.exporters.source_frames import SourceFrame, find_source, fitted_mask, source_frames
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import InstanceLine, TrackEntry
from ovvis_cli.video.reader import prefetch
from ovvis_cli.video.writer import OverlayWriter

_DRAWN_AHEAD: Final = 4  # frames


def export_overlay(
    record: Record, output: Path, *, source: Path | None = None, progress: Callable[[int], None] | None = None
) -> Path:
    """Write the analysed part of the video with its labelled tracks: H.264, original size, times and sound.

    Images of other sizes are fitted into the size of the first, with black bars. Frames between two analysed
    ones (`--stride`) keep the masks of the earlier one, to avoid flicker; other frames without instances stay
    unchanged. Memory does not grow with the video.

    Args:
        record: the record to draw.
        output: the MP4 file to write.
        source: new path of the video if it was moved.
        progress: called with the number of finished frames.

    Raises:
        RecordError: the source is missing, was changed or cannot be read twice; or the record is damaged.
        VideoError: the source cannot be decoded, or the output cannot be encoded.
        ResourceError: the disk is full or not writable.
    """
    header = record.header
    location = find_source(header, moved_to=source)
    painter = Painter(frame_hw=(header.source.height, header.source.width))
    tracks = labelled_tracks(header)
    painter.warn_of_missing_letters(caption(track) for track in tracks.values())
    frames = source_frames(record, location)
    drawn = prefetch(_drawn_frames(frames, tracks=tracks, painter=painter), capacity=_DRAWN_AHEAD)
    with (
        closing(drawn),
        atomic_path(output) as partial,
        OverlayWriter(
            partial,
            width=header.source.width,
            height=header.source.height,
            source=location,
            start_s=header.analysed.start_s,
            end_s=header.analysed.end_s,
        ) as writer,
    ):
        for num_done, frame in enumerate(drawn, start=1):
            writer.write(frame.image, time_s=frame.time_s, offset_s=frame.offset_s)
            if progress is not None:
                progress(num_done)
    return output


def _drawn_frames(
    frames: Generator[SourceFrame, None, None], *, tracks: Mapping[int, TrackEntry], painter: Painter
) -> Generator[SourceFrame, None, None]:
    """Yield the frames with their instances drawn; runs in a thread beside decoding and encoding."""
    with closing(frames):
        for frame in frames:
            yield replace(frame, image=_drawn(frame, tracks=tracks, painter=painter))


def _drawn(
    frame: SourceFrame, *, tracks: Mapping[int, TrackEntry], painter: Painter
) -> UInt8[np.ndarray, "H0 W0 3"]:
    """Draw the labelled instances on the frame."""
    entries = () if frame.line is None else frame.line.instances
    height, width = frame.image.shape[:2]
    instances = [
        _drawn_instance(entry, track=tracks[entry.track_id], frame_hw=(height, width))
        for entry in entries
        if entry.track_id in tracks
    ]
    return painter.draw(frame.image, instances) if instances else frame.image


def _drawn_instance(entry: InstanceLine, *, track: TrackEntry, frame_hw: tuple[int, int]) -> DrawnInstance:
    mask, text = fitted_mask(entry, frame_hw=frame_hw), caption(track)
    if entry.rle.size_hw != frame_hw:
        return boxed(mask, track_id=entry.track_id, caption=text)
    return DrawnInstance(track_id=entry.track_id, caption=text, mask=mask, box_xywh=entry.box_xywh)


def caption(track: TrackEntry) -> str:
    """Return the caption of a track: name, id and score over the whole video."""
    return f"{track.label} #{track.track_id}  {track.score:.2f}"
