"""Conversion of BURST to the YouTube-VIS form of CLIP-VIS and OVFormer (their burst2ytvis.py), and back.

In that form categories are numbered 1, 2, 3 ... in the order of the file, annotations from 0, and each track
has one score. Areas are left out: the evaluator of these papers takes them all as 0.
"""

from collections.abc import Sequence

import numpy as np

from ovvis_cli.data.burst import BurstFile, BurstSequence, BurstTrack
from ovvis_cli.data.tracks import (
    AnnotatedCategory,
    AnnotatedVideo,
    GroundTruth,
    GroundTruthTrack,
    PredictedTrack,
)
from ovvis_cli.vocabulary.categories import burst_lists


def to_ground_truth(file: BurstFile) -> GroundTruth:
    """Convert annotations to YouTube-VIS form; videos keep the ids of their sequences."""
    contiguous = contiguous_ids(file)
    tracks: list[GroundTruthTrack] = []
    for sequence in file.sequences.values():
        for track in sorted(sequence.tracks, key=lambda track: track.track_id):
            areas = track.masks.frame_areas
            tracks.append(
                GroundTruthTrack(
                    annotation_id=len(tracks),
                    video_id=sequence.sequence_id,
                    category_id=contiguous[track.category_id],
                    is_crowd=False,
                    areas=areas[areas > 0].astype(np.float64),
                    occlusions=None,
                    masks=track.masks,
                )
            )
    return GroundTruth(videos=videos_of(file), categories=categories_of(file), tracks=tuple(tracks))


def videos_of(file: BurstFile) -> dict[int, AnnotatedVideo]:
    """Return the annotated frames of each sequence as a video, by sequence id."""
    return {
        sequence.sequence_id: AnnotatedVideo(
            video_id=sequence.sequence_id,
            frame_hw=sequence.frame_hw,
            num_frames=len(sequence.frames),
            file_names=tuple(f"{name}/{frame}" for frame in sequence.frames),
        )
        for name, sequence in file.sequences.items()
    }


def categories_of(file: BurstFile) -> dict[int, AnnotatedCategory]:
    """Return the categories by contiguous id, each marked common or uncommon."""
    known = burst_lists().known_ids
    return {
        number: AnnotatedCategory(
            category_id=number,
            name=category.name,
            split="common" if category.category_id in known else "uncommon",
            frequency=category.frequency,
        )
        for number, category in enumerate(file.categories, start=1)
    }


def contiguous_ids(file: BurstFile) -> dict[int, int]:
    """Return the contiguous id of each category."""
    return {category.category_id: number for number, category in enumerate(file.categories, start=1)}


def to_predictions(results: BurstFile, *, ground_truth: BurstFile) -> tuple[PredictedTrack, ...]:
    """Convert BURST results to YouTube-VIS form; a track's score is the mean over its frames."""
    contiguous = contiguous_ids(ground_truth)
    listed = [
        (sequence, track)
        for sequence in results.sequences.values()
        for track in sequence.tracks
        if track.category_id in contiguous
    ]
    return tuple(
        PredictedTrack(
            entry=entry,
            video_id=ground_truth.sequences[sequence.name].sequence_id,
            category_id=contiguous[track.category_id],
            score=float(track.scores[track.is_listed].mean()),
            masks=track.masks,
        )
        for entry, (sequence, track) in enumerate(listed)
    )


def to_burst_results(predictions: Sequence[PredictedTrack], *, ground_truth: BurstFile) -> BurstFile:
    """Convert YouTube-VIS results to BURST's form: each entry becomes a track with its score in every frame.

    Entries of unknown categories or without any mask are left out, and so are empty masks.
    """
    original = {number: category for category, number in contiguous_ids(ground_truth).items()}
    by_video: dict[int, list[PredictedTrack]] = {}
    for prediction in predictions:
        if prediction.category_id in original and prediction.masks.area > 0:
            by_video.setdefault(prediction.video_id, []).append(prediction)
    sequences = {
        name: BurstSequence(
            sequence_id=sequence.sequence_id,
            name=name,
            frame_hw=sequence.frame_hw,
            frames=sequence.frames,
            negative_ids=frozenset(),
            not_exhaustive_ids=frozenset(),
            tracks=tuple(
                _burst_track(prediction, track_id=number, category_id=original[prediction.category_id])
                for number, prediction in enumerate(by_video.get(sequence.sequence_id, ()), start=1)
            ),
        )
        for name, sequence in ground_truth.sequences.items()
    }
    return BurstFile(split=ground_truth.split, sequences=sequences, categories=())


def _burst_track(prediction: PredictedTrack, *, track_id: int, category_id: int) -> BurstTrack:
    is_listed = prediction.masks.frame_areas > 0
    return BurstTrack(
        track_id=track_id,
        category_id=category_id,
        masks=prediction.masks,
        is_listed=is_listed,
        scores=np.full(len(is_listed), prediction.score),
        places=np.where(is_listed, track_id, -1),  # in the order in which `write_burst_results` writes them
    )
