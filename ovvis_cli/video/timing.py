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

    def __init__(
        self,
        *,
        step_s: Fraction,
        start_at_zero: bool = False,
        leading_offset_s: Callable[[], Fraction | None] = lambda: None,
    ) -> None:
        """Starts before the first item.

        Args:
            step_s: usual time between items.
            start_at_zero: a negative first time becomes 0, and those after it move along.
            leading_offset_s: the offset of another stream of the source, whose new counts this one follows:
                it waits for them (`is_waiting`), and items that overlap with those before are left out. None
                where there is no such stream, or it has ended.
        """
        self._step_s = step_s
        self._start_at_zero = start_at_zero
        self._leading_offset_s = leading_offset_s
        self._is_joining = False  # no item of the new count is later than the old count
        self._offset_s = Fraction(0)  # to be added to the stamps of the present count
        self._last_s: Fraction | None = None
        self._held: list[tuple[Fraction | None, T]] = []  # not above the last time, undecided

    @property
    def offset_s(self) -> Fraction:
        """What is added to the stamps of the present count."""
        return self._offset_s

    def timed(
        self, items: Iterable[T], *, stamp_s: Callable[[T], Fraction | None]
    ) -> Iterator[tuple[Fraction, T]]:
        """Yields every item with its time; `stamp_s` gives its stamp in seconds, None where there is none."""
        for item in items:
            yield from self.add(item, stamp_s=stamp_s(item))
        yield from self.rest()

    def add(self, item: T, *, stamp_s: Fraction | None) -> list[tuple[Fraction, T]]:
        """Takes the next item; the items whose times are known by now, in order."""
        if self._is_joining and stamp_s is not None and not self._goes_forward(stamp_s):
            return []
        self._is_joining = False
        if not self._held and self._goes_forward(stamp_s):
            return [(self._next(stamp_s), item)]
        self._held.append((stamp_s, item))
        if stamp_s is not None and self._goes_forward(stamp_s):
            return self._spread(self._released())
        return self.decided()

    @property
    def is_waiting(self) -> bool:
        """Whether items are held back until the leading stream has come to its new count."""
        leading_s = self._leading_offset_s()
        return len(self._held) >= _NEW_COUNT_ITEMS and leading_s is not None and leading_s <= self._offset_s

    def decided(self) -> list[tuple[Fraction, T]]:
        """The items that were held back, once they are known to be a new count; else none."""
        return self.rest() if len(self._held) >= _NEW_COUNT_ITEMS and not self.is_waiting else []

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
        leading_s = self._leading_offset_s()
        if held and leading_s is not None and leading_s > self._offset_s:
            self._offset_s, self._is_joining = leading_s, True
            return [timed for stamp, item in held for timed in self.add(item, stamp_s=stamp)]
        timed = []
        for stamp, item in held:
            if stamp is not None and self._last_s is not None and not self._goes_forward(stamp):
                self._offset_s = self._last_s + self._step_s - stamp
            timed.append((self._next(stamp), item))
        return timed
