"""Greedy matching against the rules written as loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovvis_cli.evaluation.matching import NO_MATCH, match_tracks

_IOUS = st.sampled_from([0.0, 0.4, 0.5, 0.6, 0.7, 0.8])  # few values, so that ties are frequent


def _by_loops(ious: np.ndarray, ignored: np.ndarray, reusable: np.ndarray, threshold: float) -> list[int]:
    taken: set[int] = set()
    matches = []
    for row in ious:
        best = NO_MATCH
        for wanted in (False, True):
            for g, iou in enumerate(row):
                free = g not in taken or reusable[g]
                fits = free and ignored[g] == wanted and iou >= threshold
                if (
                    fits
                    and (best == NO_MATCH or ignored[best] == wanted)
                    and (best == NO_MATCH or iou >= row[best])
                ):
                    best = g
            if best != NO_MATCH:
                break
        taken.add(best)
        matches.append(best)
    return matches


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_matching_equals_the_loops(data: st.DataObject) -> None:
    num_predictions, num_objects = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    ious = data.draw(arrays(float, (num_predictions, num_objects), elements=_IOUS))
    ignored = data.draw(arrays(bool, (2, num_objects)))
    reusable = data.draw(arrays(bool, num_objects))
    thresholds = np.array([0.5, 0.75])
    matches = match_tracks(ious, ignored=ignored, reusable=reusable, thresholds=thresholds)
    for lane in range(2):
        for step, threshold in enumerate(thresholds):
            assert matches[lane, step].tolist() == _by_loops(ious, ignored[lane], reusable, threshold)


def test_no_objects() -> None:
    nothing = np.zeros((2, 0))
    matches = match_tracks(
        nothing, ignored=np.zeros((1, 0), bool), reusable=np.zeros(0, bool), thresholds=np.array([0.5])
    )
    assert matches.tolist() == [[[NO_MATCH, NO_MATCH]]]


def test_a_prediction_that_takes_nothing_leaves_its_object() -> None:
    ious = np.array([[0.9], [0.8]])
    arguments = {
        "ignored": np.zeros((1, 1), bool),
        "reusable": np.zeros(1, bool),
        "thresholds": np.array([0.5]),
    }
    assert match_tracks(ious, **arguments).tolist() == [[[0, NO_MATCH]]]
    taking = np.array([False, True])
    assert match_tracks(ious, taking=taking, **arguments).tolist() == [[[0, 0]]]
