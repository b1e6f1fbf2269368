"""Frame times from time stamps, repaired where stamps are missing, run backwards or restart."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_RATE = Fraction(25)  # frames per second, assumed if a source states no frame rate
_NEW_COUNT_ITEMS = 3  # consecutive stamps below the highest one that mean a restart, not jitter


class Timeline(Generic[T]):
    """Conversion of the time stamps of one stream to strictly increasing times in seconds.

    A stamp that steps back is jitter if one of the next stamps exceeds the old maximum; the items in between
    are then spaced evenly. If the stamps stay below, recordings were joined; the new recording then continues
    one step after the old one. To distinguish the two cases, at most `_NEW_COUNT_ITEMS` items are held back.
    """

    def __init__(
        self,
        *,
        step_s: Fraction,
        start_at_zero: bool = False,
        leading_offset_s: Callable[[], Fraction | None] = lambda: None,
    ) -> None:
        """Create a timeline before its first item.

        Args:
            step_s: usual time between items.
            start_at_zero: shift all times so that a negative first time becomes 0.
            leading_offset_s: returns the offset of another stream of the source, whose restarts this one
                follows: it waits for them (`is_waiting`), and drops items that overlap with earlier ones.
                Returns None if there is no such stream, or it has ended.
        """
        self._step_s = step_s
        self._start_at_zero = start_at_zero
        self._leading_offset_s = leading_offset_s
        self._is_joining = False  # no item of the new recording is later than the old one yet
        self._offset_s = Fraction(0)  # added to the stamps of the current recording
        self._last_s: Fraction | None = None
        self._held: list[tuple[Fraction | None, T]] = []  # not above the last time, so jitter or a restart

    @property
    def offset_s(self) -> Fraction:
        """Offset in seconds that is added to the stamps of the current recording."""
        return self._offset_s

    def timed(
        self, items: Iterable[T], *, stamp_s: Callable[[T], Fraction | None]
    ) -> Iterator[tuple[Fraction, T]]:
        """Yield every item with its time; `stamp_s` returns its stamp in seconds, or None without a stamp."""
        for item in items:
            yield from self.add(item, stamp_s=stamp_s(item))
        yield from self.rest()

    def add(self, item: T, *, stamp_s: Fraction | None) -> list[tuple[Fraction, T]]:
        """Add the next item and return the items whose times are now known, in order."""
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
        """Whether items are held back until the leading stream has reached its restart."""
        leading_s = self._leading_offset_s()
        return len(self._held) >= _NEW_COUNT_ITEMS and leading_s is not None and leading_s <= self._offset_s

    def decided(self) -> list[tuple[Fraction, T]]:
        """Return the held items if they are known to follow a restart, else an empty list."""
        return self.rest() if len(self._held) >= _NEW_COUNT_ITEMS and not self.is_waiting else []

    def rest(self) -> list[tuple[Fraction, T]]:
        """Return the held items at the end of the stream."""
        return self._count_on(self._released())

    def _released(self) -> list[tuple[Fraction | None, T]]:
        held, self._held = self._held, []
        return held

    def _goes_forward(self, stamp: Fraction | None) -> bool:
        return stamp is None or self._last_s is None or stamp + self._offset_s > self._last_s

    def _next(self, stamp: Fraction | None) -> Fraction:
        """Return the time of an item whose stamp is above the last time."""
        if self._last_s is None:
            if stamp is not None and stamp < 0 and self._start_at_zero:
                self._offset_s = -stamp
            self._last_s = (stamp or Fraction(0)) + self._offset_s
        else:
            self._last_s = self._last_s + self._step_s if stamp is None else stamp + self._offset_s
        return self._last_s

    def _spread(self, held: list[tuple[Fraction | None, T]]) -> list[tuple[Fraction, T]]:
        """Return the times after jitter: the held items are spaced evenly up to the last one."""
        start_s = self._last_s or Fraction(0)
        gap_s = self._next(held[-1][0]) - start_s
        return [
            (start_s + gap_s * number / len(held), item) for number, (_, item) in enumerate(held, start=1)
        ]

    def _count_on(self, held: list[tuple[Fraction | None, T]]) -> list[tuple[Fraction, T]]:
        """Return the times after a restart: its first item follows one step after the last old one."""
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
