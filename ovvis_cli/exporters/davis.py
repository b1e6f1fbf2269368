"""DAVIS format: a folder of 8-bit palette PNGs, one per analysed frame; index = object, 0 = background."""

import struct
import zlib
from pathlib import Path, PurePath

import numpy as np
from jaxtyping import Int

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError, UsageError
from ovvis_cli.exporters.colors import Rgb, track_color
from ovvis_cli.exporters.flatten import OVERLAP_REASON, flatten
from ovvis_cli.exporters.mask_loss import MaskLoss
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record, frame_size_hw
from ovvis_cli.record.schema import FrameLine

_MAX_OBJECTS = 254  # 255 means "void" in this format


def export_davis(record: Record, output: Path) -> Path:
    """Write `output`/00000.png, ... named by frame index; index n is the n-th labelled track.

    For a folder of images, each PNG has the name and size of its image.

    Raises:
        RecordError: the record is damaged, or has more tracks than the format can hold.
        UsageError: `output` is a folder that holds other files, which would be lost.
        ResourceError: the disk is full or not writable.
    """
    tracks = labelled_tracks(record.header)
    if len(tracks) > _MAX_OBJECTS:
        raise RecordError(
            f"{len(tracks)} labelled tracks, but a palette PNG holds {_MAX_OBJECTS}",
            hint="relabel with a higher --score-threshold or with --max-tracks",
        )
    if output.is_dir() and not all(_is_palette_png(entry) for entry in output.iterdir()):
        raise UsageError(f"{output} holds other files", hint="give a new folder with --output")
    numbers = {track_id: number for number, track_id in enumerate(tracks, start=1)}
    palette = [(0, 0, 0), *(track_color(track_id) for track_id in tracks)]
    loss = MaskLoss()
    with atomic_path(output) as partial:
        partial.mkdir()
        for frame in record.frames():
            frame_hw = frame_size_hw(frame, header=record.header)
            flat = flatten(frame, values=numbers, frame_hw=frame_hw, loss=loss)
            _png_path(partial, frame).write_bytes(palette_png(flat, palette=palette))
    loss.warn("davis", reason=OVERLAP_REASON)
    return output


def _png_path(folder: Path, frame: FrameLine) -> Path:
    if frame.image is None:
        return folder / f"{frame.frame_index:05d}.png"
    path = folder / f"{PurePath(frame.image.name).stem}.png"
    return folder / f"{frame.image.name}.png" if path.exists() else path  # the second of 1.jpg and 1.png


def _is_palette_png(path: Path) -> bool:
    """Return whether a file looks like an earlier result, which may be replaced."""
    if path.suffix != ".png" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(26)[24:] == b"\x08\x03"


def palette_png(indices: Int[np.ndarray, "H W"], *, palette: list[Rgb]) -> bytes:
    """Encode an 8-bit palette PNG, which OpenCV cannot. `indices` must be below the number of colors."""
    height, width = indices.shape
    rows = np.zeros((height, 1 + width), dtype=np.uint8)  # each row starts with its filter type, 0 = none
    rows[:, 1:] = indices
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, palette, no interlacing
    colors = np.array(palette, dtype=np.uint8).tobytes()
    chunks = ((b"IHDR", header), (b"PLTE", colors), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
