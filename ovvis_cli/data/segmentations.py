"""The `segmentations` of annotations and results: checked, and turned into mask tracks."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from pycocotools import mask as coco_mask

from ovvis_cli.data.documents import kind_of
from ovvis_cli.data.runs import MaskError, Runs, check_totals, decode_counts
from ovvis_cli.data.tracks import AnnotatedVideo, MaskTrack
from ovvis_cli.errors import AnnotationError

_MAX_POINT = 100  # frame sides that a polygon's points may lie away; farther ones cost memory without end
_CHUNK_MASKS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentations:
    """The masks of one entry as the file has them; `where` names the entry in messages."""

    where: str
    items: object
    video: AnnotatedVideo


def read_mask_tracks(
    entries: Sequence[Segmentations], *, path: Path, lenient: bool = False
) -> Iterator[MaskTrack]:
    """One mask track an entry, in order. Many are decoded at once, so that it is fast.

    Args:
        entries: of one file.
        path: the file, for messages.
        lenient: an entry may have more or fewer masks than the video has frames.

    Raises:
        AnnotationError: entry and frame are named.
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
        assert isinstance(entry.items, list)  # noqa: S101 - `_count_items` has refused anything else
        height, width = entry.video.frame_hw
        for frame, item in enumerate(entry.items):
            if item is None or item == []:  # no polygon at all is no mask
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


def _counts(item: object, *, video: AnnotatedVideo) -> str:
    """The compressed counts of one mask. Raises ValueError where it cannot be read."""
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
        raise ValueError(f"a run length must be a whole number, not {kind_of(length)}")
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


def _tracks_of(chunk: Sequence[Segmentations], *, masks: _Masks, runs: Runs) -> Iterator[MaskTrack]:
    starts, ends, interval_mask = _intervals(masks, runs=runs)
    areas = np.bincount(interval_mask, weights=ends - starts, minlength=len(masks.entry)).astype(np.int64)
    numbers = np.arange(len(chunk) + 1)
    mask_bounds = np.searchsorted(masks.entry, numbers)
    interval_bounds = np.searchsorted(interval_mask, mask_bounds)
    for number, entry in enumerate(chunk):
        assert isinstance(entry.items, list)  # noqa: S101 - as above
        own = slice(mask_bounds[number], mask_bounds[number + 1])
        frame_areas = np.zeros(len(entry.items), dtype=np.int64)
        frame_areas[masks.frame[own]] = areas[own]
        frame_pixels = entry.video.frame_hw[0] * entry.video.frame_hw[1]
        dtype = np.uint32 if frame_pixels * len(entry.items) < 2**32 else np.int64
        intervals = slice(interval_bounds[number], interval_bounds[number + 1])
        yield MaskTrack(
            starts=starts[intervals].astype(dtype),
            ends=ends[intervals].astype(dtype),
            frame_areas=frame_areas,
            frame_pixels=frame_pixels,
        )


def _intervals(masks: _Masks, *, runs: Runs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts and ends of all runs of foreground, and the mask that each belongs to."""
    num_runs = np.diff(runs.offsets)
    mask_of_run = np.repeat(np.arange(len(num_runs)), num_runs)
    ends = np.cumsum(runs.lengths)
    run_in_mask = np.arange(len(runs.lengths)) - np.repeat(runs.offsets[:-1], num_runs)
    pixels_before = np.cumsum(masks.num_pixels) - masks.num_pixels  # of earlier masks: these all are complete
    to_track = masks.frame * masks.num_pixels - pixels_before
    chosen = np.flatnonzero((run_in_mask % 2 == 1) & (runs.lengths > 0))
    owner = mask_of_run[chosen]
    shifted_ends = ends[chosen] + to_track[owner]
    return shifted_ends - runs.lengths[chosen], shifted_ends, owner
