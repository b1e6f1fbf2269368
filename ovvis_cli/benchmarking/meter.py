"""Time of each stage: the pipeline reports its stages, and hooks report those of the networks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from torch import nn

from ovvis_cli.inference.profiler import StageName
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.precision import BESIDE_ENCODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of a stage; `amount` is what the meter counts, without nested stages."""

    amount: float
    num_frames: int


@dataclass(slots=True, kw_only=True)
class _Open:
    name: StageName
    num_frames: int
    start: float
    inside: float = field(default=0.0)


class Meter:
    """Counter of, for example, seconds per stage; each thread has its own nesting.

    A stage that ends with an exception is not counted.
    """

    def __init__(self, read: Callable[[StageName], float]) -> None:
        """`read` returns the count so far, at the beginning or end of a stage."""
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
        """While the body runs, also count each part of the network as a stage nested in its caller."""
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
    """Return the parts of a network by stage; all parts but the proposal network make tokens."""
    parts: list[tuple[StageName, nn.Module]] = [*network.proposals.stages().items()]
    others = (child for name, child in network.named_children() if name not in {"proposals"} | BESIDE_ENCODE)
    return parts + [("classify", child) for child in others]
