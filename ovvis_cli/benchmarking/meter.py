"""How long each stage takes: a stopwatch that the pipeline tells, and that hears of the networks by hooks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from torch import nn

from ovvis_cli.inference.profiler import StageName
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.precision import BESIDE_PREDICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One time that a stage ran; `amount` is what the meter counts, without the stages inside."""

    amount: float
    num_frames: int


@dataclass(slots=True, kw_only=True)
class _Open:
    name: StageName
    num_frames: int
    start: float
    inside: float = field(default=0.0)


class Meter:
    """Counts something, such as seconds, stage by stage; every thread has its own nesting.

    A stage that an exception ends is not counted.
    """

    def __init__(self, read: Callable[[StageName], float]) -> None:
        """`read` gives what has been counted so far, at the beginning or end of that stage."""
        self.samples: dict[StageName, list[Sample]] = {}
        self._read = read
        self._lock = threading.Lock()
        self._threads = threading.local()

    @contextmanager
    def stage(self, name: StageName, *, num_frames: int) -> Iterator[None]:
        """See `Profiler.stage`."""
        self._begin(name, num_frames=num_frames)
        try:
            yield
        except BaseException:
            self._stack().pop()
            raise
        self._end()

    @contextmanager
    def listening(self, network: VideoNetwork) -> Iterator[None]:
        """While the body runs, each part of the network is a stage too, within the stage that calls it."""
        with ExitStack() as stack:
            for name, module in network_stages(network):
                before = module.register_forward_pre_hook(lambda *_, name=name: self._begin(name))
                after = module.register_forward_hook(lambda *_: self._end())
                stack.callback(before.remove)
                stack.callback(after.remove)
            yield

    def _begin(self, name: StageName, *, num_frames: int | None = None) -> None:
        stack = self._stack()
        count = num_frames if num_frames is not None else stack[-1].num_frames if stack else 1
        stack.append(_Open(name=name, num_frames=count, start=self._read(name)))

    def _end(self) -> None:
        stack = self._stack()
        ended = stack.pop()
        whole = self._read(ended.name) - ended.start
        if stack:
            stack[-1].inside += whole
        sample = Sample(amount=whole - ended.inside, num_frames=ended.num_frames)
        with self._lock:
            self.samples.setdefault(ended.name, []).append(sample)

    def _stack(self) -> list[_Open]:
        if not hasattr(self._threads, "stack"):
            self._threads.stack = []
        stack: list[_Open] = self._threads.stack
        return stack


def network_stages(network: VideoNetwork) -> list[tuple[StageName, nn.Module]]:
    """The parts of a network of the catalogue by their stage: what is no proposal network makes tokens."""
    parts: list[tuple[StageName, nn.Module]] = [*network.proposals.stages().items()]
    others = (child for name, child in network.named_children() if name not in {"proposals"} | BESIDE_PREDICT)
    return parts + [("classify", child) for child in others]
