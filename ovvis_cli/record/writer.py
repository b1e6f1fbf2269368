"""Writer of records during the analysis; a killed run resumes at its last checkpoint.

    masks.jsonl              appended and flushed line by line
    checkpoint.safetensors   replaced atomically: tracker state, next frame, length of masks.jsonl
    checkpoint-fixed/        what never changes in that state, a file each, written before the checkpoint
    tokens.safetensors, record.json   written at the end; only then is the record finished

On resume, lines after the last checkpoint are cut off and computed again. So the files of a resumed run equal
those of an uninterrupted run byte by byte.
"""

import contextlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors
from torch import Tensor

from ovvis_cli.atomic import disk_errors, take_lock, write_bytes_atomic, write_text_atomic
from ovvis_cli.errors import RecordError
from ovvis_cli.record.fixed_tensors import FixedTensors
from ovvis_cli.record.layout import remove_exports
from ovvis_cli.record.reader import Record
from ovvis_cli.record.recorded_source import SOURCE_KEY, source_note
from ovvis_cli.record.schema import (
    CHECKPOINT_NAME,
    FIXED_NAME,
    FORMAT_VERSION,
    HEADER_NAME,
    MASKS_NAME,
    TOKENS_NAME,
    FrameLine,
    RecordHeader,
    SourceInfo,
)
from ovvis_cli.record.serialise import frame_from_text, frame_to_text, header_to_text

logger = logging.getLogger(__name__)


class ResumePoint(NamedTuple):
    """Where to resume: the first frame that is not in the record, and the state before it."""

    next_frame: int
    state: dict[str, Tensor]  # on the CPU


class RecordWriter:
    """A record folder, open for writing by one process. Call `resume` once before the first `append`."""

    def __init__(
        self, folder: Path, *, fingerprint: str, overwrite: bool = False, source: SourceInfo | None = None
    ) -> None:
        """Create no file yet.

        Args:
            folder: the record's folder; `resume` creates it if it is missing.
            fingerprint: of this run; see `ovvis_cli.record.identity`.
            overwrite: replace a finished record. An unfinished one of the same run is still resumed.
            source: the analysed video; written to checkpoints, so that an unfinished record names its video.
        """
        self.folder = folder
        self.restart_reason: str | None = None  # why an earlier attempt in this folder was not resumed
        self._fingerprint = fingerprint
        self._overwrite = overwrite
        self._metadata = {} if source is None else {SOURCE_KEY: source_note(source)}
        self._masks: BinaryIO | None = None
        self._fixed = FixedTensors(folder / FIXED_NAME)
        self._times_s: dict[int, tuple[float, float]] = {}

    def resume(self) -> ResumePoint | None:
        """Open the record. Return where to resume, or None to start at the first frame (see
        `restart_reason`).

        Raises:
            RecordError: the folder holds a finished record and `overwrite` is False. Callers check
                beforehand, with
                `finished_header`, whether that record is the one they want.
            ResourceError: the folder cannot be written, or another process is writing this record.
        """
        finished = (self.folder / HEADER_NAME).exists()
        if finished and not self._overwrite:
            raise RecordError(
                f"{self.folder} already holds a finished record, which is of another run or damaged",
                hint="add --overwrite to replace it, or choose another folder with --output",
            )
        with disk_errors(self.folder / MASKS_NAME):
            self.folder.mkdir(parents=True, exist_ok=True)
            masks = self._masks = (self.folder / MASKS_NAME).open("ab")
        take_lock(masks, name=str(self.folder))  # held until `close`, or until the process ends
        if finished:
            self._give_up_finished_record()
        checkpoint = self._load_checkpoint()
        if checkpoint is None and self.restart_reason is not None:
            level = logging.INFO if finished else logging.WARNING
            logger.log(level, "starting again at the first frame: %s", self.restart_reason)
        num_bytes = 0 if checkpoint is None else checkpoint.masks_bytes
        with disk_errors(self.folder / MASKS_NAME):
            masks.truncate(num_bytes)
            masks.seek(num_bytes)
        if checkpoint is None:
            self._remove_checkpoint()
            return None
        self._read_times()
        return ResumePoint(checkpoint.next_frame, checkpoint.state)

    def append(self, frame: FrameLine) -> None:
        """Append one frame and flush it to the operating system, so that it survives this process.

        Raises:
            ResourceError: the disk is full.
        """
        masks = self._opened()
        with disk_errors(self.folder / MASKS_NAME):
            masks.write(frame_to_text(frame).encode("utf-8"))
            masks.flush()
        self._note_times(frame)

    def checkpoint(
        self,
        state: Mapping[str, Tensor | np.ndarray],
        next_frame: int,
        *,
        fixed: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Save a checkpoint: a later run resumes at `next_frame` with `state`.

        Args:
            state: tensors by name; not kept.
            next_frame: index of the first frame that is not yet appended.
            fixed: tensors that belong to the state and never change under their names; each is written once.

        Raises:
            ResourceError: the disk is full.
        """
        masks, fixed = self._opened(), fixed or {}
        with disk_errors(self.folder / MASKS_NAME):
            os.fsync(masks.fileno())  # the lines must be on disk before the checkpoint is
        note = _CheckpointNote(
            version=FORMAT_VERSION,
            fingerprint=self._fingerprint,
            masks_bytes=masks.tell(),
            next_frame=next_frame,
            fixed=sorted(fixed),
        )
        with disk_errors(self.folder / FIXED_NAME):
            self._fixed.write(fixed)
        tensors = {name: torch.as_tensor(value).detach().cpu().contiguous() for name, value in state.items()}
        data = save_tensors(tensors, metadata={"ovvis": json.dumps(note._asdict())} | self._metadata)
        write_bytes_atomic(self.folder / CHECKPOINT_NAME, data)
        with disk_errors(self.folder / FIXED_NAME):
            self._fixed.keep_only(fixed)

    def track_times(self) -> dict[int, tuple[float, float]]:
        """Return the first and last time [s] of every track, including lines from before a resume."""
        return dict(self._times_s)

    def finalise(
        self,
        header: RecordHeader,
        *,
        track_ids: Int[np.ndarray, " N"],
        tokens: Float[np.ndarray, "N D"],
        object_scores: Float[np.ndarray, " N"],
    ) -> Record:
        """Write tokens and header, remove the checkpoint and close: the record is finished.

        Raises:
            ResourceError: the disk is full.
        """
        masks = self._opened()
        with disk_errors(self.folder / MASKS_NAME):
            os.fsync(masks.fileno())
        self.close()
        arrays = {
            "track_ids": np.ascontiguousarray(track_ids, dtype=np.int64),
            "tokens": np.ascontiguousarray(tokens, dtype=np.float32),
            "object_scores": np.ascontiguousarray(object_scores, dtype=np.float32),
        }
        write_bytes_atomic(self.folder / TOKENS_NAME, save_arrays(arrays))
        write_text_atomic(self.folder / HEADER_NAME, header_to_text(header))
        self._remove_checkpoint()
        return Record.open(self.folder)

    def close(self) -> None:
        """Close masks.jsonl; the record stays unfinished unless `finalise` was called."""
        if self._masks is not None:
            self._masks.close()
            self._masks = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> BinaryIO:
        if self._masks is None:
            raise RuntimeError("RecordWriter.resume() must be called first, and finalise() or close() last")
        return self._masks

    def _give_up_finished_record(self) -> None:
        self.restart_reason = "--overwrite replaces the finished record"
        saved: tuple[str, ...] = ()
        with contextlib.suppress(RecordError):  # a damaged record does not list its exports
            saved = Record.open(self.folder).header.saved
        with disk_errors(self.folder):
            remove_exports(self.folder, saved)
            (self.folder / HEADER_NAME).unlink()
            self._remove_checkpoint()

    def _remove_checkpoint(self) -> None:
        (self.folder / CHECKPOINT_NAME).unlink(missing_ok=True)
        self._fixed.remove()

    def _load_checkpoint(self) -> "_Checkpoint | None":
        path = self.folder / CHECKPOINT_NAME
        if not path.exists():
            if self.restart_reason is None and _size(self.folder / MASKS_NAME) > 0:
                self.restart_reason = "the earlier run was stopped before its first checkpoint"
            return None
        try:
            checkpoint = self._read_checkpoint(path)
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            self.restart_reason = f"{CHECKPOINT_NAME} cannot be read ({error})"
            return None
        if checkpoint.fingerprint != self._fingerprint:
            self.restart_reason = "the video, the model or the settings changed since the earlier run"
        elif _size(self.folder / MASKS_NAME) < checkpoint.masks_bytes:
            self.restart_reason = f"{MASKS_NAME} is shorter than at its checkpoint"
        else:
            return checkpoint
        return None

    def _read_checkpoint(self, path: Path) -> "_Checkpoint":
        with safe_open(path, framework="pt", device="cpu") as file:
            note = _CheckpointNote(**json.loads((file.metadata() or {})["ovvis"]))
            if note.version != FORMAT_VERSION:
                raise ValueError(f"format version {note.version}")
            state = {name: file.get_tensor(name).clone() for name in sorted(file.keys())}
        fixed = self._fixed.read(note.fixed) if note.fingerprint == self._fingerprint else {}
        return _Checkpoint(note.fingerprint, note.masks_bytes, note.next_frame, state | fixed)

    def _read_times(self) -> None:
        path = self.folder / MASKS_NAME
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                self._note_times(frame_from_text(line, where=f"{path}:{number}"))

    def _note_times(self, frame: FrameLine) -> None:
        for instance in frame.instances:
            first_s, _ = self._times_s.get(instance.track_id, (frame.time_s, frame.time_s))
            self._times_s[instance.track_id] = (first_s, frame.time_s)


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a finished record; a kill between the last two steps leaves one.

    Raises:
        ResourceError: the folder cannot be written.
    """
    with disk_errors(folder):
        (folder / CHECKPOINT_NAME).unlink(missing_ok=True)
        FixedTensors(folder / FIXED_NAME).remove()


class _CheckpointNote(NamedTuple):
    version: int
    fingerprint: str
    masks_bytes: int
    next_frame: int
    fixed: Sequence[str] = ()  # names of the tensors in files of their own


class _Checkpoint(NamedTuple):
    fingerprint: str
    masks_bytes: int
    next_frame: int
    state: dict[str, Tensor]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
