"""Reader of finished records."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ovvis_cli.atomic import write_text_atomic
from ovvis_cli.errors import RecordError
from ovvis_cli.record.schema import (
    CHECKPOINT_NAME,
    HEADER_NAME,
    MASKS_NAME,
    TOKENS_NAME,
    FrameLine,
    InstanceLine,
    RecordHeader,
)
from ovvis_cli.record.serialise import frame_from_text, header_from_text, header_to_text
from ovvis_cli.rle import decode_rle

if TYPE_CHECKING:
    import fiftyone
    import supervision

_UNFINISHED_HINT = "run the same ovvis segment command again to finish it"
_WHAT_IT_IS = "a record is a folder written by ovvis segment"
_DAMAGED_HINT = "the record is damaged; run ovvis segment again with --overwrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackTokens:
    """Contents of tokens.safetensors: what relabel needs of every kept track, labelled or not."""

    track_ids: Int[np.ndarray, " N"]
    tokens: Float[np.ndarray, "N D"]  # unit norm
    object_scores: Float[np.ndarray, " N"]  # mean over the track's frames, [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished record folder. Frames are read lazily, so memory does not grow with the video."""

    folder: Path
    header: RecordHeader

    @classmethod
    def open(cls, folder: Path) -> "Record":
        """Open the record in `folder`.

        Raises:
            RecordError: no such folder, not a record, not finished, of another version, or damaged.
        """
        path = folder / HEADER_NAME
        if not path.is_file():
            raise _why_not_a_record(folder)
        for name in (MASKS_NAME, TOKENS_NAME):
            if not (folder / name).is_file():
                raise RecordError(f"{folder} has no {name}", hint=_DAMAGED_HINT)
        return cls(folder=folder, header=header_from_text(_read_text(path), where=str(path)))

    def frames(self) -> Iterator[FrameLine]:
        """Yield the analysed frames in order.

        Raises:
            RecordError: a line is cut off, malformed or out of order, or frames are missing.
        """
        path = self.folder / MASKS_NAME
        num_frames, last_frame = 0, -1
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                where = f"{path}:{number}"
                if not line.endswith("\n"):
                    raise RecordError(f"{where} is cut off", hint=_DAMAGED_HINT)
                frame = frame_from_text(line, where=where)
                if frame.frame_index <= last_frame:
                    found = f"frame {frame.frame_index} after {last_frame}"
                    raise RecordError(f"{where}: {found}", hint=_DAMAGED_HINT)
                _check_sizes(frame, header=self.header, where=where)
                num_frames, last_frame = number, frame.frame_index
                yield frame
        if num_frames != self.header.analysed.num_frames:
            wanted = self.header.analysed.num_frames
            raise RecordError(f"{path} has {num_frames} frames, expected {wanted}", hint=_DAMAGED_HINT)

    def tokens(self) -> TrackTokens:
        """Read the mean instance token and object score of every kept track.

        Raises:
            RecordError: tokens.safetensors is damaged.
        """
        path = self.folder / TOKENS_NAME
        try:
            arrays = load_file(path)
            found = TrackTokens(
                track_ids=arrays["track_ids"], tokens=arrays["tokens"], object_scores=arrays["object_scores"]
            )
        except (SafetensorError, OSError, KeyError) as error:
            raise RecordError(f"{path} cannot be read ({error})", hint=_DAMAGED_HINT) from error
        by_track = (found.track_ids.shape[0],)
        if found.tokens.ndim != 2 or not found.tokens.shape[:1] == found.object_scores.shape == by_track:
            raise RecordError(f"{path}: the arrays have different lengths", hint=_DAMAGED_HINT)
        return found

    def to_supervision(self, frame: FrameLine) -> "supervision.Detections":
        """Return the labelled instances of a frame; see `ovvis_cli.integrations.supervision`."""
        from ovvis_cli.integrations.supervision import to_supervision

        return to_supervision(self, frame)

    def to_fiftyone(self) -> "list[fiftyone.Sample]":
        """Return the record as samples of FiftyOne; see `ovvis_cli.integrations.fiftyone`."""
        from ovvis_cli.integrations.fiftyone import to_fiftyone

        return to_fiftyone(self)

    def with_header(self, header: RecordHeader) -> "Record":
        """Replace record.json by `header`, atomically, and return the new record.

        Raises:
            ResourceError: the disk is full or not writable.
        """
        write_text_atomic(self.folder / HEADER_NAME, header_to_text(header))
        return Record.open(self.folder)  # read back, so that its numbers are rounded as on disk


def finished_header(folder: Path, *, fingerprint: str) -> RecordHeader | None:
    """Return the header in `folder` if it holds a finished record of this very run, else None."""
    try:
        header = Record.open(folder).header
    except RecordError:
        return None
    return header if header.fingerprint == fingerprint else None


def frame_size_hw(frame: FrameLine, *, header: RecordHeader) -> tuple[int, int]:
    """Return (height, width) of a frame and its masks: of its image, or of the video."""
    return (header.source.height, header.source.width) if frame.image is None else frame.image.size_hw


def instance_mask(instance: InstanceLine) -> Bool[np.ndarray, "H0 W0"]:
    """Decode the mask of an instance at the size of the frame.

    Raises:
        RecordError: its run lengths do not fit into the frame.
    """
    try:
        return decode_rle(instance.rle)
    except ValueError as error:
        raise RecordError(f"a mask of track {instance.track_id} is damaged", hint=_DAMAGED_HINT) from error


def _check_sizes(frame: FrameLine, *, header: RecordHeader, where: str) -> None:
    frame_hw = frame_size_hw(frame, header=header)
    for instance in frame.instances:
        x, y, width, height = instance.box_xywh
        box_inside = x >= 0 and y >= 0 and x + width <= frame_hw[1] and y + height <= frame_hw[0]
        if instance.rle.size_hw != frame_hw or not box_inside:
            raise RecordError(
                f"{where}: track {instance.track_id} does not fit a frame of {frame_hw[1]}x{frame_hw[0]}",
                hint=_DAMAGED_HINT,
            )


def _why_not_a_record(folder: Path) -> RecordError:
    if not folder.exists():
        return RecordError(f"the record {folder} does not exist", hint=_WHAT_IT_IS)
    if not folder.is_dir():
        return RecordError(f"{folder} is not a folder", hint=_WHAT_IT_IS)
    if (folder / MASKS_NAME).exists() or (folder / CHECKPOINT_NAME).exists():
        return RecordError(f"{folder} is an unfinished record", hint=_UNFINISHED_HINT)
    return RecordError(f"{folder} is not a record: it has no {HEADER_NAME}", hint=_WHAT_IT_IS)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read ({error})", hint=_DAMAGED_HINT) from error
