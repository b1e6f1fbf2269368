"""BURST's official evaluation by class, from its own annotations and results.

tracks --by sequence and class--> frames --> HOTA
                              '-> tracks --> AP          means over classes: all, common, uncommon
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Int

from ovvis_cli.data.burst import BurstFile, BurstSequence, BurstTrack
from ovvis_cli.evaluation.burst.frames import ClassFrames, ClassRules, Similarity, class_frames
from ovvis_cli.evaluation.burst.hota import Hota, combine, sequence_hota
from ovvis_cli.evaluation.burst.track_map import TrackMap, TrackMatches, class_map, match_sequence
from ovvis_cli.vocabulary.categories import BurstLists, burst_lists

_MAX_DETECTIONS: Final = 300  # per frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Number of detections and tracks of one class that enter HOTA."""

    num_predicted: int
    num_annotated: int
    num_predicted_ids: int
    num_annotated_ids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstClass:
    """Figures of one annotated class; `sequences` holds its HOTA by sequence name."""

    category_id: int
    is_common: bool
    hota: Hota
    track_map: TrackMap
    counts: Counts
    sequences: Mapping[str, Hota]


def evaluate_burst(
    ground_truth: BurstFile,
    results: BurstFile,
    *,
    similarity: Similarity = "boxes",
    on_class: Callable[[int], None] = lambda done: None,
) -> tuple[BurstClass, ...]:
    """Return the official class-guided figures of every annotated class, by ascending id.

    Args:
        ground_truth: sequences with annotations.
        results: results of the same sequences; some may be missing.
        similarity: what HOTA compares. The official code compares boxes, the paper means masks.
        on_class: called with the number of finished classes.
    """
    lists = burst_lists()
    pairs = _pairs(ground_truth, results, lists=lists)
    category_ids = sorted({track.category_id for pair in pairs for track in pair.annotated})
    classes = []
    for category_id in category_ids:
        classes.append(_class(category_id, pairs=pairs, similarity=similarity, lists=lists))
        on_class(len(classes))
    return tuple(classes)


def evaluate_open_world(
    ground_truth: BurstFile, results: BurstFile, *, subset: Literal["all", "common", "uncommon"]
) -> Hota:
    """Return the official open-world figures: labels do not count, objects are those of one subset only.

    False positives are unknown there, so only recall, association and OWTA are meaningful.
    """
    lists = burst_lists()
    rules = ClassRules(is_negative=False, is_not_exhaustive=False)
    parts = []
    for pair in _pairs(_subset(ground_truth, subset=subset, lists=lists), results, lists=lists):
        frames = class_frames(
            pair.annotated,
            pair.predicted,
            seen=pair.seen,
            sequence=pair.sequence,
            rules=rules,
            similarity="boxes",
        )
        parts.append(sequence_hota(frames))
    return combine(parts)


def _subset(file: BurstFile, *, subset: Literal["all", "common", "uncommon"], lists: BurstLists) -> BurstFile:
    """Return the file with the tracks of common or uncommon categories only."""
    if subset == "all":
        return file
    sequences = {
        name: replace(
            sequence,
            tracks=tuple(
                track
                for track in sequence.tracks
                if (track.category_id in lists.known_ids) == (subset == "common")
            ),
        )
        for name, sequence in file.sequences.items()
    }
    return replace(file, sequences=sequences)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Annotations and predictions of one sequence, after the official filters."""

    sequence: BurstSequence
    annotated: tuple[BurstTrack, ...]
    predicted: tuple[BurstTrack, ...]
    seen: Bool[np.ndarray, " T"]  # frames with any annotation


def _pairs(ground_truth: BurstFile, results: BurstFile, *, lists: BurstLists) -> list[_Pair]:
    """Pair all sequences, sorted by name as in the official evaluator."""
    predicted = _unique_ids([results.sequences[name] for name in results.sequences])
    pairs = []
    for name in sorted(ground_truth.sequences, key=lambda name: name.replace("/", "-")):
        sequence = ground_truth.sequences[name]
        annotated = tuple(
            track
            for track in _merged(sequence.tracks, lists=lists)
            if track.category_id not in lists.distractor_ids
        )
        own = predicted[name].tracks if name in predicted else ()
        seen = np.zeros(len(sequence.frames), dtype=bool)
        for track in annotated:
            seen |= track.is_listed
        pairs.append(
            _Pair(
                sequence=sequence,
                annotated=annotated,
                predicted=_limited(_merged(own, lists=lists), num_frames=len(sequence.frames)),
                seen=seen,
            )
        )
    return pairs


def _merged(tracks: Sequence[BurstTrack], *, lists: BurstLists) -> tuple[BurstTrack, ...]:
    """Return the tracks with synonymous categories merged under one id."""
    return tuple(
        replace(track, category_id=lists.merged_into.get(track.category_id, track.category_id))
        for track in tracks
    )


def _unique_ids(sequences: Sequence[BurstSequence]) -> dict[str, BurstSequence]:
    """Give new ids to tracks whose id occurs in several sequences; all others keep theirs, even 0."""
    places: dict[int, set[str]] = {}
    for sequence in sequences:
        for track in sequence.tracks:
            places.setdefault(track.track_id, set()).add(sequence.name)
    fresh = count(max(places, default=0) + 1)
    return {
        sequence.name: replace(
            sequence,
            tracks=tuple(
                replace(track, track_id=next(fresh)) if len(places[track.track_id]) > 1 else track
                for track in sequence.tracks
            ),
        )
        for sequence in sequences
    }


def _limited(tracks: tuple[BurstTrack, ...], *, num_frames: int) -> tuple[BurstTrack, ...]:
    """Keep at most 300 detections per frame, those with the highest scores.

    Ties go to the detections that the frame lists first. As in the official code, the detections of a frame
    that is cut are sorted by score from then on, and tracks are sorted by their first remaining entry.
    """
    if len(tracks) <= _MAX_DETECTIONS:
        return tracks
    scores = np.stack([track.scores for track in tracks])
    places = np.stack([track.places for track in tracks])
    kept_places = places.copy()
    for t in range(num_frames):
        own = np.flatnonzero(places[:, t] >= 0)
        if own.size > _MAX_DETECTIONS:
            own = own[np.lexsort((places[own, t], -scores[own, t]))]
            kept_places[own, t] = np.arange(own.size)
            kept_places[own[_MAX_DETECTIONS:], t] = -1
    left = [n for n in range(len(tracks)) if (kept_places[n] >= 0).any()]
    return tuple(
        _with_places(tracks[n], kept_places[n]) for n in sorted(left, key=lambda n: _first(kept_places[n]))
    )


def _first(places: Int[np.ndarray, " T"]) -> tuple[int, int]:
    """Return the first frame with an entry, and the position of the entry in that frame."""
    frame = int(np.argmax(places >= 0))
    return frame, int(places[frame])


def _with_places(track: BurstTrack, places: Int[np.ndarray, " T"]) -> BurstTrack:
    """Return the track with other positions in its frames; frames with position -1 are removed."""
    frames = places >= 0
    masks = track.masks
    inside = frames[masks.starts.astype(np.int64) // masks.frame_pixels]
    return replace(
        track,
        is_listed=frames,
        places=places,
        masks=replace(
            masks,
            starts=masks.starts[inside],
            ends=masks.ends[inside],
            frame_areas=np.where(frames, masks.frame_areas, 0),
        ),
    )


def _class(
    category_id: int, *, pairs: Sequence[_Pair], similarity: Similarity, lists: BurstLists
) -> BurstClass:
    hotas: dict[str, Hota] = {}
    detections: list[ClassFrames] = []
    matches: list[TrackMatches] = []
    for pair in pairs:
        annotated = [track for track in pair.annotated if track.category_id == category_id]
        predicted = [track for track in pair.predicted if track.category_id == category_id]
        rules = ClassRules(
            is_negative=category_id in pair.sequence.negative_ids,
            is_not_exhaustive=category_id in pair.sequence.not_exhaustive_ids,
        )
        frames = class_frames(
            annotated,
            predicted,
            seen=pair.seen,
            sequence=pair.sequence,
            rules=rules,
            similarity=similarity,
        )
        detections.append(frames)
        hotas[pair.sequence.name] = sequence_hota(frames)
        if annotated or rules.is_negative:
            matches.append(match_sequence(annotated, predicted, is_not_exhaustive=rules.is_not_exhaustive))
    return BurstClass(
        category_id=category_id,
        is_common=category_id in lists.known_ids,
        hota=combine(list(hotas.values())),
        track_map=class_map(matches),
        counts=_counts(detections),
        sequences=hotas,
    )


def _counts(detections: Sequence[ClassFrames]) -> Counts:
    frames = [frame for own in detections for frame in own.frames]
    return Counts(
        num_predicted=sum(frame.predicted_ids.size for frame in frames),
        num_annotated=sum(frame.annotated_ids.size for frame in frames),
        num_predicted_ids=sum(own.num_predicted_ids for own in detections),
        num_annotated_ids=sum(own.num_annotated_ids for own in detections),
    )
