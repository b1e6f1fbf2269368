"""Times from time stamps, repaired only where stamps are missing, run backwards or start a new count."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_RATE = Fraction(25)  # assumed where a source states no frame rate
_NEW_COUNT_ITEMS = 3  # so many stamps in a row below the highest one are a new count, not jitter


class Timeline(Generic[T]):
    """Turns the time stamps of one stream into strictly increasing seconds.

    A stamp that steps back is jitter when one of the next stamps is above the old ones again: the items in
    between are spread evenly. When the stamps stay below, recordings were joined: the new count goes on one
    step after the old one, however far it stepped back. To tell the two apart, at most `_NEW_COUNT_ITEMS`
    items are held back.
    """

    def __init__(self, *, step_s: Fraction, start_at_zero: bool = False) -> None:
        """Starts before the first item.

        Args:
            step_s: usual time between items.
            start_at_zero: a negative first time becomes 0, and those after it move along.
        """
        self._step_s = step_s
        self._start_at_zero = start_at_zero
        self._offset_s = Fraction(0)  # to be added to the stamps of the present count
        self._last_s: Fraction | None = None
        self._held: list[tuple[Fraction | None, T]] = []  # not above the last time, undecided

    def timed(
        self, items: Iterable[T], *, stamp_s: Callable[[T], Fraction | None]
    ) -> Iterator[tuple[Fraction, T]]:
        """Yields every item with its time; `stamp_s` gives its stamp in seconds, None where there is none."""
        for item in items:
            yield from self.add(item, stamp_s=stamp_s(item))
        yield from self.rest()

    def add(self, item: T, *, stamp_s: Fraction | None) -> list[tuple[Fraction, T]]:
        """Takes the next item; the items whose times are known by now, in order."""
        if not self._held and self._goes_forward(stamp_s):
            return [(self._next(stamp_s), item)]
        self._held.append((stamp_s, item))
        if stamp_s is not None and self._goes_forward(stamp_s):
            return self._spread(self._released())
        return self.rest() if len(self._held) == _NEW_COUNT_ITEMS else []

    def rest(self) -> list[tuple[Fraction, T]]:
        """The items that were held back, where no further one decides about them."""
        return self._count_on(self._released())

    def _released(self) -> list[tuple[Fraction | None, T]]:
        held, self._held = self._held, []
        return held

    def _goes_forward(self, stamp: Fraction | None) -> bool:
        return stamp is None or self._last_s is None or stamp + self._offset_s > self._last_s

    def _next(self, stamp: Fraction | None) -> Fraction:
        """The time of an item that goes forward."""
        if self._last_s is None:
            if stamp is not None and stamp < 0 and self._start_at_zero:
                self._offset_s = -stamp
            self._last_s = (stamp or Fraction(0)) + self._offset_s
        else:
            self._last_s = self._last_s + self._step_s if stamp is None else stamp + self._offset_s
        return self._last_s

    def _spread(self, held: list[tuple[Fraction | None, T]]) -> list[tuple[Fraction, T]]:
        """Jitter: the last of the held items is ahead again, those before it share the gap."""
        start_s = self._last_s or Fraction(0)
        gap_s = self._next(held[-1][0]) - start_s
        return [
            (start_s + gap_s * number / len(held), item) for number, (_, item) in enumerate(held, start=1)
        ]

    def _count_on(self, held: list[tuple[Fraction | None, T]]) -> list[tuple[Fraction, T]]:
        """A new count: its first item comes one step after the last one of the old count."""
        timed = []
        for stamp, item in held:
            if stamp is not None and self._last_s is not None and not self._goes_forward(stamp):
                self._offset_s = self._last_s + self._step_s - stamp
            timed.append((self._next(stamp), item))
        return timed
