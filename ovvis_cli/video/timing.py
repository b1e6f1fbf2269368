"""Frame times: the source's own time stamps, repaired only where they are missing or run backwards."""

from fractions import Fraction

_DEFAULT_RATE = Fraction(25)  # raw streams without any time stamp
_RESET_S = 1  # a step back by more than this is a new count, not jitter


class FrameClock:
    """Turns the time stamps of one stream into strictly increasing seconds from its start."""

    def __init__(self, *, time_base: Fraction | None, rate: Fraction | None, origin_s: Fraction) -> None:
        self._time_base = time_base or Fraction(0)
        self._step_s = 1 / (rate or _DEFAULT_RATE)
        self._origin_s = origin_s
        self._last_s: Fraction | None = None

    @property
    def step_s(self) -> float:
        """Average time between frames."""
        return float(self._step_s)

    def time_s(self, pts: int | None) -> float:
        """Time of the next frame in decoded order; `pts` counts time bases, None where the file has none."""
        time_s = self._repaired(None if pts is None else pts * self._time_base - self._origin_s)
        self._last_s = time_s
        return float(time_s)

    def _repaired(self, time_s: Fraction | None) -> Fraction:
        last_s = self._last_s
        if last_s is None:
            return max(time_s or Fraction(0), Fraction(0))
        if time_s is None:
            return last_s + self._step_s
        if time_s > last_s:
            return time_s
        if last_s - time_s > _RESET_S:  # joined recordings: the second one counts on from the first
            self._origin_s -= last_s + self._step_s - time_s
            return last_s + self._step_s
        return last_s + self._step_s / 2  # half a step, so that the next true time stamp is ahead again
