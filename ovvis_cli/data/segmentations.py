"""Conversion of the `segmentations` of annotations and results to mask tracks, with checks."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from pycocotools import mask as coco_mask

from ovvis_cli.data.documents import kind_of, shown
from ovvis_cli.data.runs import MaskError, RunPairs, check_totals, decode_counts
from ovvis_cli.data.tracks import AnnotatedVideo, MaskTrack
from ovvis_cli.errors import AnnotationError

_MAX_POINT = 100  # polygon points may be this many frame sides away; farther points need unbounded memory
_CHUNK_MASKS = 500  # decoded together: many, but few enough for the CPU cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentations:
    """The masks of one entry as in the file; `where` names the entry in messages."""

    where: str
    items: object
    video: AnnotatedVideo


def read_mask_tracks(
    entries: Iterable[Segmentations], *, path: Path, lenient: bool = False
) -> Iterator[MaskTrack]:
    """Return one mask track per entry, in order. Many are decoded at once for speed.

    Args:
        entries: entries of one file.
        path: the file, for messages.
        lenient: an entry may have more or fewer masks than the video has frames.

    Raises:
        AnnotationError: a mask is malformed; the message names entry and frame.
    """
    chunk: list[Segmentations] = []
    num_masks = 0
    for entry in entries:
        num_masks += _count_items(entry, path=path, lenient=lenient)
        chunk.append(entry)
        if num_masks >= _CHUNK_MASKS:
            yield from _read_chunk(chunk, path=path)
            chunk, num_masks = [], 0
    yield from _read_chunk(chunk, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    """The masks of a chunk that are not null."""

    strings: list[str]
    entry: Int[np.ndarray, " N"]
    frame: Int[np.ndarray, " N"]
    num_pixels: Int[np.ndarray, " N"]


def _count_items(entry: Segmentations, *, path: Path, lenient: bool) -> int:
    if not isinstance(entry.items, list):
        raise AnnotationError(
            f"{path}: {entry.where}: segmentations must be a list with one item per frame, "
            f"not {kind_of(entry.items)}"
        )
    count, video = len(entry.items), entry.video
    if count != video.num_frames and not lenient:
        raise AnnotationError(
            f"{path}: {entry.where}: {count} segmentations, video {video.video_id} has "
            f"{video.num_frames} frames",
            hint="one item per frame, null where the object is not visible",
        )
    return count


def _read_chunk(chunk: Sequence[Segmentations], *, path: Path) -> Iterator[MaskTrack]:
    masks = _collect(chunk, path=path)
    try:
        runs = decode_counts(masks.strings)
        check_totals(runs, masks.num_pixels)
    except MaskError as error:
        where = chunk[masks.entry[error.index]].where
        raise AnnotationError(
            f"{path}: {where}, frame {masks.frame[error.index]}: {error}",
            hint="counts must be COCO's compressed run lengths of the frame, down the columns",
        ) from error
    yield from _tracks_of(chunk, masks=masks, runs=runs)


def _collect(chunk: Sequence[Segmentations], *, path: Path) -> _Masks:
    strings: list[str] = []
    entries: list[int] = []
    frames: list[int] = []
    num_pixels: list[int] = []
    for number, entry in enumerate(chunk):
        height, width = entry.video.frame_hw
        for frame, item in enumerate(_items(entry)):
            if item is None or item == []:  # a mask without polygons is absent
                continue
            try:
                strings.append(_counts(item, video=entry.video))
            except ValueError as error:
                raise AnnotationError(f"{path}: {entry.where}, frame {frame}: {error}") from error
            entries.append(number)
            frames.append(frame)
            num_pixels.append(height * width)
    return _Masks(
        strings=strings,
        entry=np.asarray(entries, dtype=np.int64),
        frame=np.asarray(frames, dtype=np.int64),
        num_pixels=np.asarray(num_pixels, dtype=np.int64),
    )


def _items(entry: Segmentations) -> list[object]:
    if not isinstance(entry.items, list):
        raise TypeError("`_count_items` has refused anything but lists")
    return entry.items


def _counts(item: object, *, video: AnnotatedVideo) -> str:
    """Return the compressed counts of one mask. Raises ValueError if it cannot be read."""
    if isinstance(item, list):
        return _polygon_counts(item, frame_hw=video.frame_hw)
    if not isinstance(item, dict):
        raise ValueError(f"a mask is an object with size and counts, not {kind_of(item)}")
    for key in ("size", "counts"):
        if key not in item:
            raise ValueError(f"{key} is missing")
    size, counts = item["size"], item["counts"]
    if size != [*video.frame_hw]:
        raise ValueError(_wrong_size(size, video=video))
    if isinstance(counts, str):
        return counts
    if isinstance(counts, list):
        return _uncompressed_counts(counts, frame_hw=video.frame_hw)
    raise ValueError(f"counts must be a text or a list of run lengths, not {kind_of(counts)}")


def _wrong_size(size: object, *, video: AnnotatedVideo) -> str:
    height, width = video.frame_hw
    swapped = " (height first)" if size == [width, height] else ""
    return f"mask size {size} but video {video.video_id} is [{height}, {width}]{swapped}"


def _uncompressed_counts(counts: list[object], *, frame_hw: tuple[int, int]) -> str:
    lengths = [_run_length(length) for length in counts]
    height, width = frame_hw
    if sum(lengths) != height * width:
        less_or_more = "less" if sum(lengths) < height * width else "more"
        raise ValueError(f"runs add up to {sum(lengths)}, {less_or_more} than {height * width} pixels")
    rle = coco_mask.frPyObjects({"size": [height, width], "counts": lengths}, height, width)
    text: bytes = rle["counts"]
    return text.decode("ascii")


def _run_length(length: object) -> int:
    if not isinstance(length, int) or isinstance(length, bool):
        raise ValueError(f"a run length must be a whole number, not {shown(length)}")
    if length < 0:
        raise ValueError("negative run length")
    return length


def _polygon_counts(polygons: list[object], *, frame_hw: tuple[int, int]) -> str:
    height, width = frame_hw
    corners = [_corners(polygon, frame_hw=frame_hw) for polygon in polygons]
    rle = coco_mask.merge(coco_mask.frPyObjects(corners, height, width))
    text: bytes = rle["counts"]
    return text.decode("ascii")


def _corners(polygon: object, *, frame_hw: tuple[int, int]) -> list[float]:
    if not isinstance(polygon, list):
        raise ValueError(f"a polygon must be a list of coordinates, not {kind_of(polygon)}")
    if len(polygon) % 2:
        raise ValueError(f"a polygon has an odd number of coordinates ({len(polygon)})")
    if len(polygon) < 6:
        raise ValueError(f"a polygon needs at least 3 points, there are {len(polygon) // 2}")
    corners: list[float] = []
    for value in polygon:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"a polygon's coordinate is {value!r}, not a finite number")
        if abs(value) > _MAX_POINT * max(frame_hw):
            raise ValueError(f"a polygon's coordinate {value} lies far outside the frame")
        corners.append(float(value))
    return corners


def _tracks_of(chunk: Sequence[Segmentations], *, masks: _Masks, runs: RunPairs) -> Iterator[MaskTrack]:
    starts, ends, offsets = _intervals(masks, runs=runs)
    sums = np.concatenate([[0], np.cumsum(ends - starts)])
    areas = np.diff(sums[offsets])
    bounds = np.searchsorted(masks.entry, np.arange(len(chunk) + 1))
    for number, entry in enumerate(chunk):
        own = slice(bounds[number], bounds[number + 1])
        num_frames = len(_items(entry))
        frame_areas = np.zeros(num_frames, dtype=np.int64)
        frame_areas[masks.frame[own]] = areas[own]
        frame_pixels = entry.video.frame_hw[0] * entry.video.frame_hw[1]
        dtype = np.uint32 if frame_pixels * num_frames < 2**32 else np.int64
        intervals = slice(offsets[own.start], offsets[own.stop])
        yield MaskTrack(
            starts=starts[intervals].astype(dtype),
            ends=ends[intervals].astype(dtype),
            frame_areas=frame_areas,
            frame_pixels=frame_pixels,
        )


def _intervals(masks: _Masks, *, runs: RunPairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return starts and ends of the non-empty foreground intervals; mask n has offsets[n]:offsets[n + 1]."""
    ends = np.cumsum(runs.background + runs.foreground)
    pixels_before = np.cumsum(masks.num_pixels) - masks.num_pixels  # earlier masks are complete
    ends += np.repeat(masks.frame * masks.num_pixels - pixels_before, np.diff(runs.offsets))
    starts = ends - runs.foreground
    filled = runs.foreground > 0
    offsets = np.concatenate([[0], np.cumsum(filled)])[runs.offsets]
    return starts[filled], ends[filled], offsets
