"""Figures beside AP: identity switches, labels, objects found whatever their label."""

import numpy as np
import pytest

from ovvis_cli.evaluation.objects import distinct_tracks, object_metrics, object_outcomes
from tests.evaluation.building import Box, annotation, box_masks, document, prediction, read, video_entry

LEFT, RIGHT = (2, 4, 8, 10), (20, 4, 8, 10)


def _metrics(objects: list[tuple[int, list[Box]]], tracks: list[tuple[int, float, list[Box]]]) -> dict:
    num_frames = len(objects[0][1])
    annotations = [
        annotation(number, video_id=1, category_id=category_id, masks=box_masks(boxes))
        for number, (category_id, boxes) in enumerate(objects, start=1)
    ]
    entries = [
        prediction(video_id=1, category_id=category_id, score=score, masks=box_masks(boxes))
        for category_id, score, boxes in tracks
    ]
    truth, predictions = read(document([video_entry(1, num_frames=num_frames)], annotations), entries)
    outcomes = object_outcomes(truth, predictions)
    return {
        "all": object_metrics(outcomes),
        "base": object_metrics(outcomes, chosen={1}.__contains__),
        "novel": object_metrics(outcomes, chosen={2}.__contains__),
    }


def test_perfect_tracks() -> None:
    metrics = _metrics([(1, [LEFT] * 4), (2, [RIGHT] * 4)], [(1, 0.9, [LEFT] * 4), (2, 0.8, [RIGHT] * 4)])[
        "all"
    ]
    assert metrics["AR10_class_agnostic"] == 1.0
    assert metrics["label_accuracy"] == 1.0
    assert (metrics["identity_switches"], metrics["identity_chances"]) == (0, 6)


def test_two_objects_whose_tracks_change_places_switch_once_each() -> None:
    first, second = [LEFT, LEFT, RIGHT, RIGHT], [RIGHT, RIGHT, LEFT, LEFT]
    metrics = _metrics([(1, [LEFT] * 4), (2, [RIGHT] * 4)], [(1, 0.9, first), (2, 0.8, second)])["all"]
    assert (metrics["identity_switches"], metrics["identity_chances"]) == (2, 6)
    assert metrics["identity_switch_rate"] == pytest.approx(1 / 3)


def test_a_gap_is_no_switch_but_a_new_track_after_it_is() -> None:
    gap = _metrics([(1, [LEFT] * 4)], [(1, 0.9, [LEFT, None, None, LEFT])])["all"]
    assert (gap["identity_switches"], gap["identity_chances"]) == (0, 1)
    broken = _metrics(
        [(1, [LEFT] * 4)], [(1, 0.9, [LEFT, LEFT, None, None]), (1, 0.8, [None, None, LEFT, LEFT])]
    )["all"]
    assert (broken["identity_switches"], broken["identity_chances"]) == (1, 3)


def test_an_object_keeps_its_track_while_that_still_fits() -> None:
    shifted = (3, 4, 8, 10)  # overlaps LEFT well, but less than the other track does from frame 2 on
    metrics = _metrics([(1, [LEFT] * 4)], [(1, 0.9, [shifted] * 4), (1, 0.8, [None, None, LEFT, LEFT])])[
        "all"
    ]
    assert metrics["identity_switches"] == 0


def test_labels_are_judged_by_the_best_label_of_the_covering_track() -> None:
    entries = [(2, 0.9, [LEFT] * 2), (1, 0.3, [LEFT] * 2), (2, 0.8, [RIGHT] * 2)]
    metrics = _metrics([(1, [LEFT] * 2), (2, [RIGHT] * 2), (2, [(12, 0, 4, 4)] * 2)], entries)
    assert metrics["all"]["label_accuracy"] == 0.5
    assert metrics["all"]["num_matched_objects"] == 2
    assert metrics["base"]["label_accuracy"] == 0.0
    assert metrics["novel"]["label_accuracy"] == 1.0


def test_recall_does_not_look_at_labels_and_counts_a_track_once() -> None:
    duplicates = [(1, 0.9 - number / 100, [LEFT] * 2) for number in range(12)]
    metrics = _metrics([(1, [LEFT] * 2), (2, [RIGHT] * 2)], [*duplicates, (1, 0.1, [RIGHT] * 2)])
    assert metrics["novel"]["AR10_class_agnostic"] == 1.0  # the 13th entry, but the second track
    assert metrics["all"]["AR10_class_agnostic"] == 1.0


def test_only_the_ten_best_tracks_count() -> None:
    others = [(1, 0.9, [(column, 0, 1, 2)] * 2) for column in range(10)]
    metrics = _metrics([(2, [RIGHT] * 2)], [*others, (2, 0.1, [RIGHT] * 2)])
    assert metrics["novel"]["AR10_class_agnostic"] == 0.0
    assert metrics["base"]["AR10_class_agnostic"] is None


def test_a_video_without_objects_and_one_without_tracks() -> None:
    videos = [video_entry(1, num_frames=2), video_entry(2, num_frames=2)]
    truth, predictions = read(
        document(videos, [annotation(1, video_id=1, category_id=1, masks=box_masks([LEFT] * 2))]),
        [prediction(video_id=2, category_id=1, score=0.5, masks=box_masks([LEFT] * 2))],
    )
    metrics = object_metrics(object_outcomes(truth, predictions))
    assert metrics["AR10_class_agnostic"] == 0.0
    assert metrics["identity_switch_rate"] is None
    assert object_outcomes(truth, ()) == object_outcomes(truth, predictions)


def test_distinct_tracks_keep_the_best_label() -> None:
    masks = box_masks([LEFT, None])
    entries = [
        prediction(video_id=1, category_id=1, score=0.2, masks=masks),
        prediction(video_id=1, category_id=2, score=0.7, masks=masks),
        prediction(video_id=1, category_id=1, score=0.1, masks=np.roll(masks, 1, axis=0)),
    ]
    _, predictions = read(document([video_entry(1, num_frames=2)], []), entries)
    assert [track.entry for track in distinct_tracks(predictions)] == [1, 2]
