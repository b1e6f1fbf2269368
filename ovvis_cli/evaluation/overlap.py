"""Overlap of tracks: exact pixel counts, many predictions at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from ovvis_cli.data.tracks import MaskTrack


def track_ious(predicted: Sequence[MaskTrack], annotated: Sequence[MaskTrack]) -> Float[np.ndarray, "D G"]:
    """Return intersections over unions, each summed over all frames; 0 for pairs that are never visible.

    If two tracks have different numbers of frames, only the common frames count.
    """
    common = _intersections(predicted, annotated)
    unions = _areas(predicted, other=annotated) + _areas(annotated, other=predicted).T - common
    return np.divide(common, unions, out=np.zeros(unions.shape), where=unions > 0)


def frame_ious(
    predicted: Sequence[MaskTrack], annotated: Sequence[MaskTrack], *, num_frames: int
) -> Float[np.ndarray, "T D G"]:
    """Return the IoU in each of `num_frames` frames; 0 where both tracks are invisible."""
    common = _frame_intersections(predicted, annotated, num_frames=num_frames)
    predicted_areas = _frame_areas(predicted, num_frames=num_frames)
    annotated_areas = _frame_areas(annotated, num_frames=num_frames)
    unions = predicted_areas.T[:, :, None] + annotated_areas.T[:, None, :] - common
    return np.divide(common, unions, out=np.zeros(unions.shape), where=unions > 0)


def _intersections(predicted: Sequence[MaskTrack], annotated: Sequence[MaskTrack]) -> Int[np.ndarray, "D G"]:
    starts, ends, owner = _all_intervals(predicted)
    common = np.zeros((len(predicted), len(annotated)), dtype=np.int64)
    for g, track in enumerate(annotated):
        shared = _pixels_before(ends, track=track) - _pixels_before(starts, track=track)
        common[:, g] = np.bincount(owner, weights=shared, minlength=len(predicted)).astype(np.int64)
    return common


def _frame_intersections(
    predicted: Sequence[MaskTrack], annotated: Sequence[MaskTrack], *, num_frames: int
) -> Int[np.ndarray, "T D G"]:
    starts, ends, owner = _all_intervals(predicted)
    common = np.zeros((num_frames, len(predicted), len(annotated)), dtype=np.int64)
    if not predicted:
        return common
    cell = (starts // predicted[0].frame_pixels) * len(predicted) + owner
    for g, track in enumerate(annotated):
        shared = _pixels_before(ends, track=track) - _pixels_before(starts, track=track)
        sums = np.bincount(cell, weights=shared, minlength=num_frames * len(predicted))
        common[:, :, g] = sums.reshape(num_frames, len(predicted))
    return common


def _all_intervals(
    tracks: Sequence[MaskTrack],
) -> tuple[Int[np.ndarray, " R"], Int[np.ndarray, " R"], Int[np.ndarray, " R"]]:
    """Return starts and ends of all intervals, and the track of each."""
    if not tracks:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing
    owner = np.repeat(np.arange(len(tracks)), [len(track.starts) for track in tracks])
    starts = np.concatenate([track.starts for track in tracks]).astype(np.int64)
    ends = np.concatenate([track.ends for track in tracks]).astype(np.int64)
    return starts, ends, owner


def _pixels_before(positions: Int[np.ndarray, " P"], *, track: MaskTrack) -> Int[np.ndarray, " P"]:
    """Return how many pixels of `track` lie before each position."""
    if not track.starts.size:
        return np.zeros(len(positions), dtype=np.int64)
    starts, ends = track.starts.astype(np.int64), track.ends.astype(np.int64)
    before = np.concatenate([[0], np.cumsum(ends - starts)])
    num_begun = np.searchsorted(starts, positions)
    last_end = ends[np.maximum(num_begun, 1) - 1]
    beyond = np.where(num_begun > 0, np.maximum(last_end - positions, 0), 0)
    return np.asarray(before[num_begun] - beyond)


def _areas(tracks: Sequence[MaskTrack], *, other: Sequence[MaskTrack]) -> Int[np.ndarray, "A B"]:
    """Return the area of each track over the frames that it shares with each of the others."""
    lengths = np.asarray([len(track.frame_areas) for track in other], dtype=np.int64)
    areas = np.zeros((len(tracks), len(other)), dtype=np.int64)
    for a, track in enumerate(tracks):
        before = np.concatenate([[0], np.cumsum(track.frame_areas)])
        areas[a] = before[np.minimum(lengths, len(track.frame_areas))]
    return areas


def _frame_areas(tracks: Sequence[MaskTrack], *, num_frames: int) -> Int[np.ndarray, "N T"]:
    if not tracks:
        return np.zeros((0, num_frames), dtype=np.int64)
    return np.stack([track.frame_areas for track in tracks])
