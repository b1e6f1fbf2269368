"""Second read of an analysed video: its frames, at the size of the record, with their lines of masks."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.letterbox import letterbox_image, letterbox_mask
from ovvis_cli.record.identity import source_stamp
from ovvis_cli.record.reader import Record, instance_mask
from ovvis_cli.record.schema import FrameLine, InstanceLine, RecordHeader
from ovvis_cli.video.reader import Frame, prefetch, read_frames

_PREFETCHED_FRAMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFrame:
    """One frame of the analysed part of the video."""

    frame_index: int
    time_s: float  # from the start of the source
    offset_s: Fraction  # that of `Frame`
    image: UInt8[np.ndarray, "H0 W0 3"]  # at the size of the record
    line: FrameLine | None  # the masks to show; None where nothing was analysed


def source_frames(record: Record, location: str | Path) -> Generator[SourceFrame, None, None]:
    """Yield the frames of the analysed part of the video with their masks; memory does not grow with it.

    Images of other sizes are fitted into the size of the first, with black bars. Frames between two analysed
    ones (`--stride`) have the masks of the earlier one.

    Args:
        record: a finished record.
        location: the video, from `find_source`.

    Raises:
        RecordError: the record is damaged, or continues after the last frame of the video.
        VideoError: the source cannot be decoded.
    """
    header = record.header
    lines = _LineByFrame(record.frames(), stride=header.analysed.stride)
    frames = prefetch(
        read_frames(
            location,
            start_s=header.analysed.start_s,
            end_s=header.analysed.end_s,
            rate=_given_rate(header),
        ),
        capacity=_PREFETCHED_FRAMES,
    )
    with closing(frames):
        for frame in frames:
            yield SourceFrame(
                frame_index=frame.frame_index,
                time_s=frame.time_s,
                offset_s=frame.offset_s,
                image=_fitted_image(frame, header=header),
                line=lines.at(frame.frame_index),
            )
        lines.expect_end(location)


def find_source(header: RecordHeader, *, moved_to: Path | None) -> str | Path:
    """Return where the analysed video is: `moved_to`, or the path in the record.

    Raises:
        RecordError: the video is missing, has another size in bytes, or was a stream.
    """
    source = header.source
    if source.kind == "stream":
        raise RecordError(
            f"{source.path} is a stream and cannot be read a second time",
            hint="use ovvis segment --live to draw streams while they are read",
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


def fitted_mask(instance: InstanceLine, *, frame_hw: tuple[int, int]) -> Bool[np.ndarray, "H0 W0"]:
    """Return the mask of an instance, placed as `source_frames` places its picture.

    Raises:
        RecordError: its run lengths do not fit into the frame.
    """
    return letterbox_mask(instance_mask(instance), frame_hw=frame_hw)


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


def _fitted_image(frame: Frame, *, header: RecordHeader) -> UInt8[np.ndarray, "H0 W0 3"]:
    image, width, height = frame.image, header.source.width, header.source.height
    if header.source.image_names is not None:
        return letterbox_image(image, frame_hw=(height, width))
    if image.shape[:2] != (height, width):
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return image


def _given_rate(header: RecordHeader) -> Fraction | None:
    """Return the frame rate that was given to the analysis, if any."""
    rate = header.settings.get("fps")
    return None if rate is None else Fraction(str(rate))
