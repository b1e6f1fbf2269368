"""Overlaps against masks compared pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovvis_cli.evaluation.burst.frames import boxes_xyxy
from ovvis_cli.evaluation.overlap import frame_ious, track_ious
from tests.evaluation.building import box_masks, mask_track

_TRACKS = st.lists(arrays(bool, (3, 5, 7)), min_size=1, max_size=3)


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 0.0


@settings(max_examples=40, deadline=None)
@given(_TRACKS, _TRACKS)
def test_overlaps_equal_those_of_the_pixels(predicted: list[np.ndarray], annotated: list[np.ndarray]) -> None:
    tracks, objects = [mask_track(masks) for masks in predicted], [mask_track(masks) for masks in annotated]
    wanted = [[_iou(first, second) for second in annotated] for first in predicted]
    np.testing.assert_array_equal(track_ious(tracks, objects), wanted)
    by_frame = frame_ious(tracks, objects, num_frames=3)
    for t in range(3):
        wanted = [[_iou(first[t], second[t]) for second in annotated] for first in predicted]
        np.testing.assert_array_equal(by_frame[t], wanted)


def test_frames_that_only_one_has_do_not_count() -> None:
    long, short = box_masks([(0, 0, 4, 4)] * 3), box_masks([(0, 0, 4, 2)] * 2)
    assert track_ious([mask_track(long)], [mask_track(short)])[0, 0] == pytest.approx(0.5)
    assert track_ious([mask_track(short)], [mask_track(long)])[0, 0] == pytest.approx(0.5)


def test_nothing_to_compare() -> None:
    track = mask_track(box_masks([(1, 1, 2, 2)]))
    assert track_ious([], [track]).shape == (0, 1)
    assert track_ious([track], []).shape == (1, 0)
    assert frame_ious([], [track], num_frames=1).shape == (1, 0, 1)


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (3, 5, 7)))
def test_boxes_are_tight(masks: np.ndarray) -> None:
    boxes = boxes_xyxy(mask_track(masks), frame_hw=(5, 7))
    for mask, box in zip(masks, boxes.tolist(), strict=True):
        ys, xs = np.nonzero(mask)
        wanted = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if mask.any() else [0, 0, 0, 0]
        assert box == wanted


def test_areas_over_all_frames_and_where_seen() -> None:
    track = mask_track(box_masks([(0, 0, 4, 4), None, (0, 0, 2, 4)]))
    assert track.area == 24
    assert track.mean_area == 12.0
    assert mask_track(box_masks([None])).mean_area == 0.0
