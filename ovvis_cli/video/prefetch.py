"""Prefetching of items, such as decoded frames, in a background thread."""

import threading
from collections import deque
from collections.abc import Generator, Iterable
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
WhenFull = Literal["wait", "drop-oldest"]


def prefetch(source: Iterable[T], *, capacity: int, when_full: WhenFull = "wait") -> Generator[T, None, None]:
    """Yield the items of `source`, prefetching up to `capacity` of them in a background thread.

    Items are not copied. An exception of the source is raised here, after the items before it. Closing the
    generator (also by `del`) stops the thread and closes the source.

    Args:
        source: iterated, and closed if it is a generator, in the background thread only.
        capacity: maximum number of buffered items.
        when_full: "wait" until an item is taken; "drop-oldest" for live sources, to avoid growing delay.
    """
    if capacity < 1:
        raise ValueError(f"capacity must be at least 1, got {capacity}")
    buffer: _Buffer[T] = _Buffer(capacity=capacity, when_full=when_full)
    thread = threading.Thread(target=_fill, args=(source, buffer), name="ovvis-decode", daemon=True)
    thread.start()
    try:
        while items := buffer.take():
            yield items.pop()
    finally:
        buffer.close()
        thread.join()


def _fill(source: Iterable[T], buffer: "_Buffer[T]") -> None:
    error: BaseException | None = None
    try:
        for item in source:
            if not buffer.put(item):
                break
            del item  # lets the consumer free it while the next one is decoded
    except BaseException as raised:  # noqa: BLE001 - raised again in the consumer
        error = raised
    finally:
        if isinstance(source, Generator):
            source.close()
        buffer.end(error)


class _Buffer(Generic[T]):
    """Bounded queue that the producer can end and the consumer can close."""

    def __init__(self, *, capacity: int, when_full: WhenFull) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._when_full = when_full
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add an item, waiting while the queue is full; return False if the consumer has closed it."""
        with self._changed:
            if self._when_full == "drop-oldest" and len(self._items) == self._capacity:
                self._items.popleft()
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self) -> list[T]:
        """Return the next item in a list, or an empty list at the end; raise the source's exception."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            if self._items:
                self._changed.notify_all()
                return [self._items.popleft()]
            if self._error is not None:
                raise self._error
            return []

    def end(self, error: BaseException | None) -> None:
        """Mark the end of the items, with the exception that ended them; called by the producer."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Drop all items and stop the producer; called by the consumer."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
