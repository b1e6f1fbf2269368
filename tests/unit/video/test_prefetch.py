"""Decoding ahead: order, bounds, exceptions, and no thread left behind."""

import gc
import threading
import time

import numpy as np
import pytest

from ovvis_cli.video.prefetch import prefetch
from ovvis_cli.video.reader import read_frames
from tests import media


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert set(threading.enumerate()) <= before


def test_items_come_in_order():
    assert list(prefetch(range(100), capacity=3)) == list(range(100))


def test_items_are_not_copied():
    arrays = [np.zeros(3) for _ in range(5)]

    assert all(got is put for got, put in zip(prefetch(arrays, capacity=2), arrays, strict=True))


def test_runs_ahead_but_not_further_than_its_capacity():
    produced = []

    def source():
        for index in range(50):
            produced.append(index)
            yield index

    items = prefetch(source(), capacity=4)
    assert next(items) == 0
    wait_until(lambda: len(produced) >= 5)
    time.sleep(0.05)

    assert len(produced) <= 6  # taken, four waiting, one in the hand of the producer
    items.close()


def test_the_source_runs_in_another_thread():
    def source():
        yield threading.current_thread().name

    assert list(prefetch(source(), capacity=1)) == ["ovvis-decode"]


def test_exceptions_come_after_the_items_before_them():
    def source():
        yield 1
        yield 2
        raise OSError("broken")

    items = prefetch(source(), capacity=5)

    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="broken"):
        next(items)


def test_closing_stops_the_thread_and_closes_the_source_promptly():
    closed = threading.Event()

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    items = prefetch(source(), capacity=2)
    next(items)
    start = time.monotonic()
    items.close()

    assert closed.is_set()
    assert time.monotonic() - start < 5


def test_a_consumer_that_fails_leaves_no_thread():
    def consume():
        for item in prefetch(iter(int, 1), capacity=2):
            raise RuntimeError(item)

    with pytest.raises(RuntimeError):
        consume()


def test_drop_oldest_stays_at_the_present():
    first_taken = threading.Event()

    def source():
        yield 0
        assert first_taken.wait(5)
        yield from range(1, 100)

    items = prefetch(source(), capacity=1, when_full="drop-oldest")
    assert next(items) == 0
    first_taken.set()
    wait_until(lambda: not alive("ovvis-decode"))

    assert list(items) == [99]


def test_video_read_ahead_is_the_same(tmp_path):
    path = media.write_video(tmp_path / "clip.mp4", media.numbered_images(20))

    ahead = [(frame.frame_index, frame.time_s) for frame in prefetch(read_frames(path), capacity=3)]

    assert ahead == [(frame.frame_index, frame.time_s) for frame in read_frames(path)]


def test_no_capacity():
    with pytest.raises(ValueError, match="at least 1"):
        next(prefetch([1], capacity=0))


def wait_until(condition, timeout_s=5):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def alive(name):
    return any(thread.name == name for thread in threading.enumerate())
