"""Processing of several inputs: the failure of one input does not stop the others."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from ovvis_cli.errors import OvvisError, SomeInputsFailed, as_ovvis_error
from ovvis_cli.video.inputs import Source

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_IDLE_S: Final = 0.5
_LAST: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Result]):
    """An input that was processed."""

    source: Source
    result: Result
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An input that failed, and why."""

    source: Source
    error: OvvisError


def process_each(
    sources: Iterable[Source | None], process: Callable[[Source], Result]
) -> Iterator[Done[Result] | Failed]:
    """Process every source in turn and yield its outcome. None means no source at the moment, and is skipped.

    Program errors and Ctrl-C do not count as failures of an input and propagate.
    """
    for source in sources:
        if source is not None:
            yield _outcome(source, process)


def process_in_threads(
    sources: Iterable[Source | None],
    process: Callable[[Source], Result],
    *,
    num_threads: int,
    stop: threading.Event,
) -> Iterator[Done[Result] | Failed]:
    """Process several sources at a time in threads, and yield each outcome as soon as it is there.

    Args:
        sources: read only when a thread is free; None means no source at the moment.
        process: called in the threads; it must end early once `stop` is set.
        num_threads: sources processed at a time.
        stop: set when this generator ends early: by Ctrl-C, a program error or `close`.
    """
    waiting, is_last = iter(sources), False
    running: set[Future[Done[Result] | Failed]] = set()
    with ThreadPoolExecutor(max_workers=num_threads, thread_name_prefix="ovvis-video") as pool:
        try:
            while running or not is_last:
                while len(running) < num_threads and not is_last:
                    source = next(waiting, _LAST)
                    if source is None:
                        break
                    if isinstance(source, Source):
                        running.add(pool.submit(_outcome, source, process))
                    else:
                        is_last = True
                finished, running = wait(running, timeout=_IDLE_S, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BaseException:
            stop.set()
            raise


def raise_failures(failures: Sequence[Failed], *, num_inputs: int) -> None:
    """Raise if any input failed: the error itself for a single input, else `SomeInputsFailed` (exit code 1).

    Raises:
        OvvisError: any of the inputs failed.
    """
    if not failures:
        return
    if num_inputs == 1:
        raise failures[0].error
    raise SomeInputsFailed(
        f"{len(failures)} of {num_inputs} inputs failed",
        hint="the others are done; run the same command to retry the failed ones",
    )


def _outcome(source: Source, process: Callable[[Source], Result]) -> Done[Result] | Failed:
    start_s = time.monotonic()
    try:
        result = process(source)
    except Exception as raised:
        error = as_ovvis_error(raised)
        if error is None:
            raise
        logger.debug("%s failed", source.location, exc_info=raised)
        return Failed(source=source, error=error)
    return Done(source=source, result=result, elapsed_s=time.monotonic() - start_s)
