"""Named stages of a run and the interface that measures them; by default nothing is measured."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol, TypeVar

T = TypeVar("T")

StageName = Literal[
    "decode",
    "preprocess",
    "backbone",
    "pixel decoder",
    "query decoder",
    "classify",
    "associate",
    "encode",
    "write",
    "checkpoint",
    "overlay",
]


class Profiler(Protocol):
    """Receiver of stage timings. Stages may nest; stages of different threads overlap."""

    def stage(self, name: StageName, *, num_frames: int) -> AbstractContextManager[None]:
        """Return a context that spans one stage over `num_frames` frames."""
        ...


class NoProfiler:
    """No-op profiler."""

    def stage(self, name: StageName, *, num_frames: int) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()


NO_PROFILER: Final = NoProfiler()


def profile_items(items: Iterable[T], *, profiler: Profiler, name: StageName) -> Iterator[T]:
    """Yield the items, measuring the time to produce each one as a stage of one frame."""
    source = iter(items)
    while True:
        try:
            with profiler.stage(name, num_frames=1):
                item = next(source)
        except StopIteration:
            return
        yield item
