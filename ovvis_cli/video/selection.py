"""Selection of the frames of a source that are analysed."""

from typing import Literal

from ovvis_cli.errors import UsageError

Choice = Literal["skip", "take", "stop"]


class Selection:
    """Selection of every `stride`-th frame in [start_s, end_s), decided frame by frame in order.

    `skip_frames` skips frames with a smaller index, without affecting which later frames are taken.

    Raises:
        UsageError: a number is out of range.
    """

    def __init__(
        self, *, start_s: float = 0.0, end_s: float | None = None, stride: int = 1, skip_frames: int = 0
    ) -> None:
        if not start_s >= 0 or (end_s is not None and not end_s > start_s):
            raise UsageError(
                f"--start {start_s:g} and --end {end_s} are not a valid range",
                hint="0 <= start < end, in seconds",
            )
        if stride < 1:
            raise UsageError(
                f"--stride {stride} is not valid", hint="1 takes every frame, 2 every second one"
            )
        self._start_s = start_s
        self._end_s = end_s
        self._stride = stride
        self._skip_frames = skip_frames
        self._first_index: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no frame has been in the time range so far."""
        return self._first_index is None

    def choose(self, *, frame_index: int, time_s: float) -> Choice:
        """Decide about the next frame; "stop" means that no later frame is needed."""
        if self._end_s is not None and time_s >= self._end_s:
            return "stop"
        if time_s < self._start_s:
            return "skip"
        if self._first_index is None:
            self._first_index = frame_index
        on_stride = (frame_index - self._first_index) % self._stride == 0
        return "take" if on_stride and frame_index >= self._skip_frames else "skip"

    def __str__(self) -> str:
        end = "the end of the video" if self._end_s is None else f"--end {self._end_s:g} s"
        return f"between --start {self._start_s:g} s and {end}"
