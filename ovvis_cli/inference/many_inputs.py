"""Several inputs, one after the other: a failure of one is told and kept, and the next one gets its turn."""

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
    """An input that went through."""

    source: Source
    result: Result
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An input that did not, and why."""

    source: Source
    error: OvvisError


def process_each(
    sources: Sequence[Source], process: Callable[[Source], Result]
) -> Iterator[Done[Result] | Failed]:
    """Processes every source in turn, and says of each how it went.

    Defects of the program and Ctrl-C are no failures of an input: they go through.
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
    """Ends a batch with the right exit code: that of the error for an only input, else 1.

    Raises:
        OvvisError: any of the inputs failed.
    """
    if not failures:
        return
    if num_inputs == 1:
        raise failures[0].error
    raise SomeInputsFailed(
        f"{len(failures)} of {num_inputs} inputs failed",
        hint="the others are done; the same command tries the failed ones again",
    )
