"""Processing of several inputs in turn: the failure of one input does not stop the others."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ovvis_cli.errors import OvvisError, SomeInputsFailed, as_ovvis_error
from ovvis_cli.video.inputs import Source

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


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
    sources: Sequence[Source], process: Callable[[Source], Result]
) -> Iterator[Done[Result] | Failed]:
    """Process every source in turn and yield its outcome.

    Program errors and Ctrl-C do not count as failures of an input and propagate.
    """
    for source in sources:
        start_s = time.monotonic()
        try:
            result = process(source)
        except Exception as raised:
            error = as_ovvis_error(raised)
            if error is None:
                raise
            logger.debug("%s failed", source.location, exc_info=raised)
            yield Failed(source=source, error=error)
        else:
            yield Done(source=source, result=result, elapsed_s=time.monotonic() - start_s)


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
