"""Frame times: taken from the stream, repaired where they are missing or run backwards."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovvis_cli.video.timing import FrameClock


def clock(rate=Fraction(10), origin_s=Fraction(0)):
    return FrameClock(time_base=Fraction(1, 1000), rate=rate, origin_s=origin_s)


def times(stamps, **options):
    timer = clock(**options)
    return [timer.time_s(pts) for pts in stamps]


def test_good_stamps_are_untouched():
    assert times([0, 33, 67, 500]) == [0.0, 0.033, 0.067, 0.5]


def test_the_origin_is_taken_off():
    assert times([1400, 1500], origin_s=Fraction(14, 10)) == [0.0, 0.1]


def test_missing_stamps_follow_the_rate():
    assert times([None, None, 200, None]) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert times([None, None], rate=None) == pytest.approx([0.0, 0.04])


def test_a_repeated_stamp_moves_on_by_half_a_frame():
    assert times([0, 100, 100, 200]) == pytest.approx([0.0, 0.1, 0.15, 0.2])


def test_joined_recordings_count_on():
    assert times([0, 5000, 0, 100]) == pytest.approx([0.0, 5.0, 5.1, 5.2])


@given(st.lists(st.one_of(st.none(), st.integers(-10_000, 10_000)), min_size=1, max_size=30))
def test_times_always_increase_from_zero_on(stamps):
    result = times(stamps)

    assert result[0] >= 0
    assert all(later > earlier for earlier, later in zip(result, result[1:], strict=False))
