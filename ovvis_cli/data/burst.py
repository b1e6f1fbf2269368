"""Annotations and results in BURST's own format: sequences of frames, each with the masks of its tracks."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from ovvis_cli.data.documents import JsonObject, kind_of, read_json, shown
from ovvis_cli.data.entries import Entry, objects_of
from ovvis_cli.data.segmentations import Segmentations, read_mask_tracks
from ovvis_cli.data.tracks import AnnotatedCategory, AnnotatedVideo, MaskTrack
from ovvis_cli.errors import AnnotationError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstTrack:
    """One object of a sequence; all axes are the frames of `BurstSequence.frames`.

    `is_listed` tells in which frames the file has an entry, which may hold an empty mask. `places` is the
    order of the entries in each frame, which breaks ties of scores and of matches.
    """

    track_id: int
    category_id: int  # of LVIS v0.5
    masks: MaskTrack
    is_listed: Bool[np.ndarray, " T"]
    scores: Float[np.ndarray, " T"]  # 1 if the file has none
    places: Int[np.ndarray, " T"]  # position among the entries of the frame; -1 without an entry


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstSequence:
    """One video with its annotated frames, and its tracks in order of first occurrence."""

    sequence_id: int
    name: str  # DATASET/SEQUENCE
    frame_hw: tuple[int, int]
    frames: tuple[str, ...]  # names of image files
    negative_ids: frozenset[int]  # categories known to be absent
    not_exhaustive_ids: frozenset[int]  # categories that may have more objects than annotated
    tracks: tuple[BurstTrack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstFile:
    """An annotation or results file; sequences by name, in the order of the file."""

    split: str | None
    sequences: Mapping[str, BurstSequence]
    categories: tuple[AnnotatedCategory, ...]  # empty in results


def is_burst(document: object) -> bool:
    """Return whether a JSON document is in BURST's own format."""
    return isinstance(document, dict) and "sequences" in document


def read_burst(path: Path) -> BurstFile:
    """Read an annotation file, such as all_classes.json.

    Raises:
        AnnotationError: the file is missing or malformed.
    """
    return parse_burst(read_json(path), path=path)


def parse_burst(document: object, *, path: Path) -> BurstFile:
    """Parse what `read_burst` reads from `path`."""
    whole = _whole(document, path=path)
    sequences = {}
    for entry in objects_of(whole.items("sequences"), path=path, name="sequences entry"):
        named = _named(entry)
        frames = _frame_names(named)
        sequence = _sequence(named, frames=frames, wanted=frames, frame_hw=_frame_hw(named))
        if sequence.name in sequences:
            raise named.error("the sequence occurs twice")
        sequences[sequence.name] = sequence
    return BurstFile(
        split=whole.optional_text("split"), sequences=sequences, categories=_categories(whole, path=path)
    )


def read_burst_results(path: Path, *, ground_truth: BurstFile) -> BurstFile:
    """Read a results file, restricted to the annotated sequences and frames.

    Raises:
        AnnotationError: the file is missing or malformed, or is of another split.
    """
    return parse_burst_results(read_json(path), path=path, ground_truth=ground_truth)


def parse_burst_results(document: object, *, path: Path, ground_truth: BurstFile) -> BurstFile:
    """Parse what `read_burst_results` reads from `path`."""
    whole = _whole(document, path=path)
    split = whole.optional_text("split")
    if split is not None and ground_truth.split is not None and split != ground_truth.split:
        raise AnnotationError(f"{path}: split {split} does not match {ground_truth.split} of the annotations")
    sequences: dict[str, BurstSequence] = {}
    for entry in objects_of(whole.items("sequences"), path=path, name="sequences entry"):
        named = _named(entry)
        annotated = ground_truth.sequences.get(_name(entry))
        if annotated is None:
            _log.warning("%s: %s is not in the annotation file; left out", path, named.where)
            continue
        if _frame_hw(named) != annotated.frame_hw:
            raise named.error(f"height and width are {_frame_hw(named)}, annotated {annotated.frame_hw}")
        if annotated.name in sequences:
            raise named.error("the sequence occurs twice")
        sequence = _sequence(
            named, frames=_frame_names(named), wanted=annotated.frames, frame_hw=annotated.frame_hw
        )
        sequences[annotated.name] = sequence
    return BurstFile(split=split, sequences=sequences, categories=())


def _whole(document: object, *, path: Path) -> Entry:
    if not isinstance(document, dict):
        raise AnnotationError(f"{path}: a BURST file must be an object, not {kind_of(document)}")
    return Entry(path=path, where="BURST file", content=document)


def _categories(whole: Entry, *, path: Path) -> tuple[AnnotatedCategory, ...]:
    listed = objects_of(whole.items("categories"), path=path, name="categories entry")
    return tuple(
        AnnotatedCategory(
            category_id=entry.integer("id"),
            name=entry.text("name"),
            frequency=entry.optional_text("frequency"),
        )
        for entry in listed
    )


def _name(entry: Entry) -> str:
    return f"{entry.text('dataset')}/{entry.text('seq_name')}"


def _named(entry: Entry) -> Entry:
    return replace(entry, where=f"sequence {_name(entry)}")


def _frame_hw(entry: Entry) -> tuple[int, int]:
    height, width = entry.integer("height"), entry.integer("width")
    if height < 1 or width < 1:
        raise entry.error(f"height {height} and width {width} are not a valid frame size")
    return height, width


def _frame_names(entry: Entry) -> tuple[str, ...]:
    names = [name for name in entry.items("annotated_image_paths") if isinstance(name, str)]
    if len(names) != len(entry.items("annotated_image_paths")):
        raise entry.error("annotated_image_paths must be texts")
    return tuple(names)


def _integers(entry: Entry, key: str) -> frozenset[int]:
    """Return the ids under a key that may be missing in results files."""
    values = entry.items(key) if key in entry.content else ()
    return frozenset(value for value in values if isinstance(value, int))


def _sequence(
    entry: Entry, *, frames: tuple[str, ...], wanted: tuple[str, ...], frame_hw: tuple[int, int]
) -> BurstSequence:
    """Return the sequence with its tracks in the given frames."""
    segmentations = objects_of(
        entry.items("segmentations"), path=entry.path, name=f"{entry.where}: segmentations entry"
    )
    if len(segmentations) != len(frames):
        raise entry.error(f"{len(segmentations)} segmentations but {len(frames)} annotated_image_paths")
    sequence_id = entry.optional_integer("id")
    video = AnnotatedVideo(
        video_id=sequence_id or 0, frame_hw=frame_hw, num_frames=len(wanted), file_names=wanted
    )
    return BurstSequence(
        sequence_id=video.video_id,
        name=_name(entry),
        frame_hw=frame_hw,
        frames=wanted,
        negative_ids=_integers(entry, "neg_category_ids"),
        not_exhaustive_ids=_integers(entry, "not_exhaustive_category_ids"),
        tracks=_tracks(entry, segmentations=segmentations, frames=frames, video=video),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """Entries of one track in each frame; None in frames without an entry."""

    items: list[object]
    scores: list[float]
    places: list[int]

    @classmethod
    def nowhere(cls, num_frames: int) -> Self:
        """Return a track without any entry."""
        return cls(items=[None] * num_frames, scores=[1.0] * num_frames, places=[-1] * num_frames)


def _tracks(
    entry: Entry, *, segmentations: Sequence[Entry], frames: tuple[str, ...], video: AnnotatedVideo
) -> tuple[BurstTrack, ...]:
    categories = entry.value("track_category_ids")
    if not isinstance(categories, dict):
        raise entry.error(f"track_category_ids must be an object, not {kind_of(categories)}")
    places = {name: place for place, name in enumerate(video.file_names)}
    listed: dict[str, _Listed] = {}
    for frame, (name, masks) in enumerate(zip(frames, segmentations, strict=True)):
        for position, (track, item) in enumerate(masks.content.items()):
            _check_track(entry, track=track, categories=categories)
            counts, score = _mask(entry, frame=frame, track=track, item=item)
            if name not in places:
                continue
            own = listed.setdefault(track, _Listed.nowhere(video.num_frames))
            own.items[places[name]] = {"size": [*video.frame_hw], "counts": counts}
            own.scores[places[name]] = score
            own.places[places[name]] = position
    masks_of = read_mask_tracks(
        [
            Segmentations(where=f"{entry.where}, track {track}", items=own.items, video=video)
            for track, own in listed.items()
        ],
        path=entry.path,
    )
    return tuple(
        _track(track, category=categories[track], listed=own, masks=masks)
        for (track, own), masks in zip(listed.items(), masks_of, strict=True)
    )


def _track(track: str, *, category: int, listed: _Listed, masks: MaskTrack) -> BurstTrack:
    return BurstTrack(
        track_id=int(track),
        category_id=category,
        masks=masks,
        is_listed=np.asarray([item is not None for item in listed.items]),
        scores=np.asarray(listed.scores),
        places=np.asarray(listed.places),
    )


def _check_track(entry: Entry, *, track: str, categories: JsonObject) -> None:
    try:
        int(track)
    except ValueError:
        raise entry.error(f"track id {track} is not an integer") from None
    category_id = categories.get(track)
    if category_id is None:
        raise entry.error(f"track {track} has no category", hint="track_category_ids lacks it")
    if not isinstance(category_id, int) or isinstance(category_id, bool):
        raise entry.error(f"the category of track {track} must be an integer, not {shown(category_id)}")


def _mask(entry: Entry, *, frame: int, track: str, item: object) -> tuple[str, float]:
    """Return the counts and the score of one mask."""
    named = replace(entry, where=f"{entry.where}, frame {frame}, track {track}")
    if not isinstance(item, dict):
        raise named.error(f"a mask is an object with rle, not {kind_of(item)}")
    mask = replace(named, content=item)
    if mask.value("rle") is None:
        raise mask.error("rle is null; leave the entry out")
    return mask.text("rle"), mask.number("score") if "score" in item else 1.0
