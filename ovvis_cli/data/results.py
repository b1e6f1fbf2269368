"""Results files in the YouTube-VIS format: a list of tracks, each with one label and one score."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ovvis_cli.data.documents import kind_of, read_json, without_collection
from ovvis_cli.data.entries import Entry, objects_of
from ovvis_cli.data.segmentations import Segmentations, read_mask_tracks
from ovvis_cli.data.tracks import AnnotatedCategory, AnnotatedVideo, PredictedTrack
from ovvis_cli.errors import AnnotationError

_log = logging.getLogger(__name__)

_MAX_SHOWN_IDS = 8


def read_results(
    path: Path, *, videos: Mapping[int, AnnotatedVideo], lenient: bool = False
) -> tuple[PredictedTrack, ...]:
    """Read the entries of a results file in order; unknown keys are ignored.

    Args:
        path: the file.
        videos: those of the annotation file, by id.
        lenient: entries may have more or fewer masks than their video has frames.

    Raises:
        AnnotationError: the file is missing or malformed.
    """
    return parse_results(read_json(path), path=path, videos=videos, lenient=lenient)


def parse_results(
    document: object, *, path: Path, videos: Mapping[int, AnnotatedVideo], lenient: bool = False
) -> tuple[PredictedTrack, ...]:
    """Parse what `read_results` reads from `path`. Removes the masks from `document` to save memory."""
    if not isinstance(document, list):
        keys = f' with the key "{next(iter(document))}"' if isinstance(document, dict) and document else ""
        raise AnnotationError(f"{path}: results must be a list; found {kind_of(document)}{keys}")
    with without_collection():
        return _tracks(document, path=path, videos=videos, lenient=lenient)


def _tracks(
    document: Sequence[object], *, path: Path, videos: Mapping[int, AnnotatedVideo], lenient: bool
) -> tuple[PredictedTrack, ...]:
    entries = objects_of(document, path=path, name="entry")
    if not entries:
        _log.warning("%s: the list of results is empty", path)
    segmentations = (
        Segmentations(where=entry.where, items=_taken(entry), video=_video_of(entry, videos=videos))
        for entry in entries
    )
    return tuple(
        PredictedTrack(
            entry=number,
            video_id=entry.integer("video_id"),
            category_id=entry.integer("category_id"),
            score=entry.number("score"),
            masks=masks,
        )
        for number, (entry, masks) in enumerate(
            zip(entries, read_mask_tracks(segmentations, path=path, lenient=lenient), strict=True)
        )
    )


def warn_unknown_categories(
    predictions: Sequence[PredictedTrack], *, categories: Mapping[int, AnnotatedCategory], path: Path
) -> None:
    """Warn of entries that evaluation by category leaves out; the official evaluators do so silently."""
    unknown = [track for track in predictions if track.category_id not in categories]
    if not unknown:
        return
    first = unknown[0]
    more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
    zero_based = min(track.category_id for track in unknown) == 0 and 0 not in categories
    _log.warning(
        "%s: entry %d%s: category_id %d is not in the annotation file; left out, as officially%s",
        path,
        first.entry,
        more,
        first.category_id,
        "; the ids look 0-based, then all others count for a wrong class" if zero_based else "",
    )


def _taken(entry: Entry) -> object:
    """Remove the masks from the document and return them: they are most of its size."""
    segmentations = entry.value("segmentations")
    entry.content["segmentations"] = None
    return segmentations


def _video_of(entry: Entry, *, videos: Mapping[int, AnnotatedVideo]) -> AnnotatedVideo:
    video_id = entry.integer("video_id")
    video = videos.get(video_id)
    if video is None:
        known = [str(number) for number in sorted(videos)[:_MAX_SHOWN_IDS]]
        rest = ", ..." if len(videos) > _MAX_SHOWN_IDS else ""
        raise entry.error(
            f"video_id {video_id} is not in the annotation file (known: {', '.join(known)}{rest})"
        )
    return video
