"""The stages of a run by name, and who is told when each begins and ends: nobody, unless one is measuring."""

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
    """Hears of stages; they may nest, and those of different threads overlap."""

    def stage(self, name: StageName, *, num_frames: int) -> AbstractContextManager[None]:
        """The stage lasts as long as the context, and is about so many frames."""
        ...


class NoProfiler:
    """Tells nobody."""

    def stage(self, name: StageName, *, num_frames: int) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()


NO_PROFILER: Final = NoProfiler()


def profile_items(items: Iterable[T], *, profiler: Profiler, name: StageName) -> Iterator[T]:
    """The items; making each of them is a stage of one frame."""
    source = iter(items)
    while True:
        try:
            with profiler.stage(name, num_frames=1):
                item = next(source)
        except StopIteration:
            return
        yield item
