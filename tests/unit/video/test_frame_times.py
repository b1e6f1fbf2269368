"""Times: taken from the stream, repaired where they are missing, run backwards or start a new count."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovvis_cli.video.timing import Timeline


def times(stamps, *, start_at_zero=True):
    """Times in seconds of stamps in milliseconds, which usually are 0.1 s apart."""
    timeline = Timeline(step_s=Fraction(1, 10), start_at_zero=start_at_zero)
    timed = timeline.timed(stamps, stamp_s=lambda stamp: None if stamp is None else Fraction(stamp, 1000))
    return [float(time_s) for time_s, _ in timed]


def test_good_stamps_are_untouched():
    assert times([0, 33, 67, 500]) == [0.0, 0.033, 0.067, 0.5]


def test_negative_stamps_start_at_zero():
    assert times([-500, -400, -250]) == [0.0, 0.1, 0.25]


def test_sound_may_begin_before_zero():
    assert times([-20, 80], start_at_zero=False) == [-0.02, 0.08]


def test_a_late_start_stays_late():
    assert times([5000, 5100]) == [5.0, 5.1]


def test_missing_stamps_follow_the_rate():
    assert times([None, None, 200, None]) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_repeated_stamp_moves_on_by_half_a_frame():
    assert times([0, 100, 100, 200]) == pytest.approx([0.0, 0.1, 0.15, 0.2])


def test_joined_recordings_count_on():
    assert times([0, 5000, 0, 100]) == pytest.approx([0.0, 5.0, 5.1, 5.2])


@pytest.mark.parametrize("length", [3, 7, 11])
def test_short_recordings_that_are_joined_count_on(length):
    piece = [100 * index for index in range(length)]

    assert times(piece * 4) == pytest.approx([0.1 * index for index in range(4 * length)])


def test_a_join_may_step_back_a_little():
    assert times([0, 100, 200, 300, 50, 150, 250, 350]) == pytest.approx(
        [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    )


def test_a_stamp_that_steps_back_once_is_jitter_however_far():
    assert times([0, 5000, 0, 5100]) == pytest.approx([0.0, 5.0, 5.05, 5.1])


def test_two_stamps_that_step_back_share_the_gap():
    assert times([0, 100, 200, 140, 150, 500]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_stamp_that_never_changes_counts_by_the_rate():
    assert times([0] * 8) == pytest.approx([0.1 * index for index in range(8)])


def test_stamps_that_only_fall_count_by_the_rate():
    assert times([500, 400, 300, 200, 100]) == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])


def test_missing_stamps_in_a_join():
    assert times([0, 100, 200, 0, None, 200]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_no_item_is_held_back_while_stamps_rise():
    timeline = Timeline(step_s=Fraction(1, 10))

    assert [len(timeline.add(stamp, stamp_s=Fraction(stamp))) for stamp in range(5)] == [1] * 5
    assert timeline.rest() == []


@given(st.lists(st.one_of(st.none(), st.integers(-10_000, 10_000)), min_size=1, max_size=30))
def test_times_always_increase_from_zero_on(stamps):
    result = times(stamps)

    assert result[0] >= 0
    assert all(later > earlier for earlier, later in zip(result, result[1:], strict=False))
