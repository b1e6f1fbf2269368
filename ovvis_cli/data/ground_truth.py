"""Annotation files in the YouTube-VIS format: YouTube-VIS, OVIS, LV-VIS, UVO, converted BURST, diorama."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar, cast, get_args

import numpy as np
from jaxtyping import Float

from ovvis_cli.data.documents import JsonObject, kind_of, read_json
from ovvis_cli.data.entries import Entry, objects_of
from ovvis_cli.data.segmentations import Segmentations, read_mask_tracks
from ovvis_cli.data.tracks import (
    AnnotatedCategory,
    AnnotatedVideo,
    GroundTruth,
    GroundTruthTrack,
    MaskTrack,
    Occlusion,
)
from ovvis_cli.errors import AnnotationError

_log = logging.getLogger(__name__)

_OCCLUSIONS: Final[frozenset[str]] = frozenset(get_args(Occlusion))
_OPTIONAL: Final = (("areas", "computed from the masks"), ("iscrowd", "taken as 0"))
_Item = TypeVar("_Item", AnnotatedVideo, AnnotatedCategory)


class NoGroundTruthError(AnnotationError):
    """The ground truth of a split is not public; its server keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetIndex:
    """The videos and categories of an annotation file, by id in the order of the file."""

    videos: Mapping[int, AnnotatedVideo]
    categories: Mapping[int, AnnotatedCategory]
    has_ground_truth: bool

    def first(self, limit: int | None) -> "DataSetIndex":
        """Return only the first `limit` videos of the file; None: all."""
        return replace(self, videos=dict(islice(self.videos.items(), limit)))


def read_index(path: Path) -> DataSetIndex:
    """Read the videos and categories of an annotation file, with or without ground truth.

    Raises:
        AnnotationError: the file is missing or malformed.
    """
    return parse_index(read_json(path), path=path)


def parse_index(content: object, *, path: Path) -> DataSetIndex:
    """Parse what `read_index` reads from `path`."""
    return _index(_whole(content, path=path), path=path)


def read_ground_truth(path: Path, *, lenient: bool = False, is_converted: bool = False) -> GroundTruth:
    """Read an annotation file.

    Args:
        path: the file.
        lenient: accept clear mistakes and treat them as the official code does: of annotations with the same
            id the last one counts for all, mask lists may have any length, annotations of unknown videos or
            categories are left out.
        is_converted: the file was converted from BURST, so missing areas and crowds are expected.

    Raises:
        NoGroundTruthError: the file has no annotations.
        AnnotationError: the file is missing or malformed.
    """
    return parse_ground_truth(read_json(path), path=path, lenient=lenient, is_converted=is_converted)


def parse_ground_truth(
    content: object, *, path: Path, lenient: bool = False, is_converted: bool = False
) -> GroundTruth:
    """Parse what `read_ground_truth` reads from `path`."""
    document = _whole(content, path=path)
    index = _index(document, path=path)
    if not index.has_ground_truth:
        raise NoGroundTruthError(
            f"{path}: this split has no public ground truth",
            hint="write the results with `ovvis evaluate --output` and submit them to the server",
        )
    entries = _entries(document["annotations"], index=index, path=path, lenient=lenient)
    _warn(entries, optional=() if is_converted else _OPTIONAL)
    tracks = _tracks(entries, index=index, path=path, lenient=lenient)
    return GroundTruth(videos=index.videos, categories=index.categories, tracks=tracks)


def _whole(document: object, *, path: Path) -> JsonObject:
    if not isinstance(document, dict):
        raise AnnotationError(
            f"{path}: the annotation file must be an object with videos, categories, annotations, "
            f"not {kind_of(document)}"
        )
    return document


def _index(document: JsonObject, *, path: Path) -> DataSetIndex:
    whole = Entry(path=path, where="annotation file", content=document)
    videos = [_video(entry) for entry in objects_of(whole.items("videos"), path=path, name="videos entry")]
    listed = objects_of(whole.items("categories"), path=path, name="categories entry")
    categories = [_category(entry) for entry in listed]
    return DataSetIndex(
        videos=_by_id(videos, ids=[video.video_id for video in videos], path=path, name="video"),
        categories=_by_id(
            categories, ids=[category.category_id for category in categories], path=path, name="category"
        ),
        has_ground_truth=document.get("annotations") is not None,
    )


def _by_id(items: Sequence[_Item], *, ids: Sequence[int], path: Path, name: str) -> dict[int, _Item]:
    found: dict[int, _Item] = {}
    for number, item in zip(ids, items, strict=True):
        if number in found:
            raise AnnotationError(f"{path}: {name} id {number} occurs twice")
        found[number] = item
    return found


def _video(entry: Entry) -> AnnotatedVideo:
    video_id = entry.integer("id")
    named = replace(entry, where=f"video {video_id}")
    length = named.optional_integer("length")
    if "file_names" not in named.content and length is not None:
        file_names: tuple[str, ...] = ()
    else:
        names = named.items("file_names")
        if not all(isinstance(name, str) for name in names):
            raise named.error("file_names must be texts")
        file_names = tuple(cast(Sequence[str], names))
        if length is not None and length != len(file_names):
            _log.warning(
                "%s: video %d: length %d but %d file_names", entry.path, video_id, length, len(names)
            )
    height, width = named.integer("height"), named.integer("width")
    if height < 1 or width < 1:
        raise named.error(f"height {height} and width {width} are not a valid frame size")
    return AnnotatedVideo(
        video_id=video_id,
        frame_hw=(height, width),
        num_frames=len(file_names) or length or 0,
        file_names=file_names,
    )


def _category(entry: Entry) -> AnnotatedCategory:
    return AnnotatedCategory(
        category_id=entry.integer("id"),
        name=entry.text("name"),
        split=entry.optional_text("split"),
        frequency=entry.optional_text("frequency"),
        partition=entry.optional_integer("partition"),
    )


def _entries(annotations: object, *, index: DataSetIndex, path: Path, lenient: bool) -> list[Entry]:
    if not isinstance(annotations, list):
        raise AnnotationError(f"{path}: annotations must be a list, not {kind_of(annotations)}")
    listed = objects_of(annotations, path=path, name="annotations entry")
    entries = [replace(entry, where=f"annotation {entry.integer('id')}") for entry in listed]
    return _usable(entries, index=index, lenient=lenient)


def _tracks(
    entries: Sequence[Entry], *, index: DataSetIndex, path: Path, lenient: bool
) -> tuple[GroundTruthTrack, ...]:
    segmentations = [
        Segmentations(
            where=entry.where,
            items=entry.value("segmentations"),
            video=index.videos[entry.integer("video_id")],
        )
        for entry in entries
    ]
    masks = read_mask_tracks(segmentations, path=path, lenient=lenient)
    return tuple(_track(entry, masks=own) for entry, own in zip(entries, masks, strict=True))


def _usable(entries: Sequence[Entry], *, index: DataSetIndex, lenient: bool) -> list[Entry]:
    """Return the entries that belong to a known video and category, each id once."""
    usable = []
    last = {entry.integer("id"): entry for entry in entries}
    seen: set[int] = set()
    for entry in entries:
        annotation_id = entry.integer("id")
        if annotation_id in seen and not lenient:
            raise AnnotationError(f"{entry.path}: annotation id {annotation_id} occurs twice")
        seen.add(annotation_id)
        known = _is_known(entry, index=index, lenient=lenient)
        if known:
            usable.append(last[annotation_id])
    return usable


def _is_known(entry: Entry, *, index: DataSetIndex, lenient: bool) -> bool:
    for key, known, place in (
        ("video_id", index.videos, "videos"),
        ("category_id", index.categories, "categories"),
    ):
        if entry.integer(key) not in known:
            if not lenient:
                raise entry.error(f"{key} {entry.integer(key)} is not in {place}")
            return False
    return True


def _track(entry: Entry, *, masks: MaskTrack) -> GroundTruthTrack:
    return GroundTruthTrack(
        annotation_id=entry.integer("id"),
        video_id=entry.integer("video_id"),
        category_id=entry.integer("category_id"),
        is_crowd=bool(entry.integer("iscrowd")) if "iscrowd" in entry.content else False,
        areas=_areas(entry, masks=masks),
        occlusions=_occlusions(entry) if "occlusion" in entry.content else None,
        masks=masks,
    )


def _areas(entry: Entry, *, masks: MaskTrack) -> Float[np.ndarray, " V"]:
    if "areas" not in entry.content:
        return masks.frame_areas[masks.frame_areas > 0].astype(np.float64)
    areas = []
    for area in entry.items("areas"):
        if area is not None and (not isinstance(area, int | float) or not np.isfinite(area)):
            raise entry.error(f"areas holds {area!r}, which is not a number")
        if area:
            areas.append(float(area))
    return np.asarray(areas, dtype=np.float64)


def _occlusions(entry: Entry) -> tuple[Occlusion | None, ...]:
    levels = entry.items("occlusion")
    for level in levels:
        if level is not None and level not in _OCCLUSIONS:
            known = ", ".join(sorted(_OCCLUSIONS))
            raise entry.error(f"occlusion must be one of {known} or null, not {level!r}")
    return tuple(cast(Sequence[Occlusion | None], levels))


def _warn(entries: Sequence[Entry], *, optional: Sequence[tuple[str, str]]) -> None:
    for key, remedy in optional:
        without = [entry.where for entry in entries if key not in entry.content]
        if without:
            more = f" (and {len(without) - 1} more)" if len(without) > 1 else ""
            path = entries[0].path
            _log.warning("%s: %s%s: key %s is missing: %s", path, without[0], more, key, remedy)
    if any(entry.integer("id") == 0 for entry in entries):
        _log.warning(
            "%s: annotation 0: its id makes the official evaluator count a correct prediction as wrong; "
            "so it does here",
            entries[0].path,
        )


def first_videos(ground_truth: GroundTruth, *, limit: int | None) -> GroundTruth:
    """Return the first `limit` videos of the file with their tracks, and all categories; None: everything."""
    if limit is None:
        return ground_truth
    videos = dict(islice(ground_truth.videos.items(), limit))
    tracks = tuple(track for track in ground_truth.tracks if track.video_id in videos)
    return replace(ground_truth, videos=videos, tracks=tracks)
