"""Overlay video: a second read of the source, with masks, contours and final labels drawn on it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.drawing import DrawnInstance, Painter, boxed
from ovvis_cli.exporters.letterbox import letterbox_image, letterbox_mask
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.identity import source_stamp
from ovvis_cli.record.reader import Record, instance_mask
from ovvis_cli.record.schema import FrameLine, InstanceLine, RecordHeader, TrackEntry
from ovvis_cli.video.reader import Frame, prefetch, read_frames
from ovvis_cli.video.writer import OverlayWriter

_PREFETCHED_FRAMES = 4


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
    location = _location(header, moved_to=source)
    painter = Painter(frame_hw=(header.source.height, header.source.width))
    tracks = labelled_tracks(header)
    painter.warn_of_missing_letters(caption(track) for track in tracks.values())
    lines = _LineByFrame(record.frames(), stride=header.analysed.stride)
    start_s, end_s = header.analysed.start_s, header.analysed.end_s
    frames = prefetch(
        read_frames(location, start_s=start_s, end_s=end_s, rate=_given_rate(header)),
        capacity=_PREFETCHED_FRAMES,
    )
    with (
        closing(frames),
        atomic_path(output) as partial,
        OverlayWriter(
            partial,
            width=header.source.width,
            height=header.source.height,
            source=location,
            start_s=start_s,
            end_s=end_s,
        ) as writer,
    ):
        for num_done, frame in enumerate(frames, start=1):
            image = _drawn(
                frame, line=lines.at(frame.frame_index), tracks=tracks, painter=painter, header=header
            )
            writer.write(image, time_s=frame.time_s, offset_s=frame.offset_s)
            if progress is not None:
                progress(num_done)
        lines.expect_end(location)
    return output


class _LineByFrame:
    """Steps through the lines of a record in parallel with the frames of its video."""

    def __init__(self, lines: Iterator[FrameLine], *, stride: int) -> None:
        self._lines = lines
        self._stride = stride
        self._current: FrameLine | None = None
        self._next = next(lines, None)

    def at(self, frame_index: int) -> FrameLine | None:
        """Return the line of this frame, or of the last one within a stride; call in rising order."""
        while self._next is not None and self._next.frame_index <= frame_index:
            self._current, self._next = self._next, next(self._lines, None)
        if self._current is None or frame_index - self._current.frame_index >= self._stride:
            return None
        return self._current

    def expect_end(self, location: str | Path) -> None:
        """Raise RecordError if the record continues after the last frame of the video."""
        if self._next is not None:
            raise RecordError(
                f"{location} ends before frame {self._next.frame_index} of the record",
                hint="give the video that was analysed with --source",
            )


def _drawn(
    frame: Frame,
    *,
    line: FrameLine | None,
    tracks: Mapping[int, TrackEntry],
    painter: Painter,
    header: RecordHeader,
) -> UInt8[np.ndarray, "H0 W0 3"]:
    """Draw the instances on the frame, resized to the size of the record."""
    image, width, height = frame.image, header.source.width, header.source.height
    if header.source.image_names is not None:
        image = letterbox_image(image, frame_hw=(height, width))
    elif image.shape[:2] != (height, width):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    shown = [] if line is None else [entry for entry in line.instances if entry.track_id in tracks]
    if not shown:
        return image
    instances = [
        _drawn_instance(entry, track=tracks[entry.track_id], frame_hw=(height, width)) for entry in shown
    ]
    return painter.draw(image, instances)


def _drawn_instance(entry: InstanceLine, *, track: TrackEntry, frame_hw: tuple[int, int]) -> DrawnInstance:
    mask, text = instance_mask(entry), caption(track)
    if mask.shape != frame_hw:
        return boxed(letterbox_mask(mask, frame_hw=frame_hw), track_id=entry.track_id, caption=text)
    return DrawnInstance(track_id=entry.track_id, caption=text, mask=mask, box_xywh=entry.box_xywh)


def _given_rate(header: RecordHeader) -> Fraction | None:
    """Return the frame rate that was given to the analysis, if any."""
    rate = header.settings.get("fps")
    return None if rate is None else Fraction(str(rate))


def caption(track: TrackEntry) -> str:
    """Return the caption of a track: name, id and score over the whole video."""
    return f"{track.label} #{track.track_id}  {track.score:.2f}"


def _location(header: RecordHeader, *, moved_to: Path | None) -> str | Path:
    source = header.source
    if source.kind == "stream":
        raise RecordError(
            f"{source.path} is a stream and cannot be read a second time for the overlay",
            hint="use ovvis segment --live for streams",
        )
    path = moved_to or Path(source.path)
    if not path.exists() and "://" not in source.path:
        raise RecordError(
            f"the video of the record is missing: {path}", hint="give its new path with --source"
        )
    size_bytes, _ = source_stamp(path)
    if size_bytes != source.size_bytes:
        raise RecordError(
            f"{path} is not the video that was analysed: {size_bytes} bytes, expected {source.size_bytes}",
            hint="give the analysed video with --source",
        )
    return path if moved_to or path.exists() else source.path
