"""One bad input does not stop a batch, and the exit code says what happened."""

import threading
from collections.abc import Callable, Iterable

import pytest

from ovvis_cli.batch import many_inputs
from ovvis_cli.errors import ResourceError, SomeInputsFailed, VideoError, exit_code_of
from ovvis_cli.video.inputs import Source
from ovvis_cli.video.location import Location
from ovvis_models.errors import CorruptWeightsError

SOURCES = [Source(location=Location(f"{name}.mp4", "file"), name=name) for name in ("a", "b", "c")]


def test_the_others_are_done_when_one_fails() -> None:
    def process(source: Source) -> str:
        if source.name == "b":
            raise VideoError("b.mp4: not a video")
        return source.name.upper()

    outcomes = list(many_inputs.process_each(SOURCES, process))
    assert [outcome.result for outcome in outcomes if isinstance(outcome, many_inputs.Done)] == ["A", "C"]
    failures = [outcome for outcome in outcomes if isinstance(outcome, many_inputs.Failed)]
    assert [(failure.source.name, str(failure.error)) for failure in failures] == [
        ("b", "b.mp4: not a video")
    ]


def test_foreign_errors_of_one_input_are_translated() -> None:
    def process(source: Source) -> None:
        raise {"a": CorruptWeightsError("x"), "b": MemoryError(), "c": OSError(28, "No space left")}[
            source.name
        ]

    codes = [exit_code_of(outcome.error) for outcome in many_inputs.process_each(SOURCES, process)]
    assert codes == [4, 5, 5]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_stop_and_a_defect_end_the_batch(error: type[BaseException]) -> None:
    def process(source: Source) -> None:
        raise error

    with pytest.raises(error):
        list(many_inputs.process_each(SOURCES, process))


def test_exit_code_of_an_only_input_is_its_own() -> None:
    failure = many_inputs.Failed(source=SOURCES[0], error=ResourceError("disk full"))
    with pytest.raises(ResourceError):
        many_inputs.raise_failures([failure], num_inputs=1)


def test_exit_code_of_several_inputs_is_one() -> None:
    failure = many_inputs.Failed(source=SOURCES[0], error=ResourceError("disk full"))
    with pytest.raises(SomeInputsFailed, match="1 of 3 inputs failed") as raised:
        many_inputs.raise_failures([failure], num_inputs=3)
    assert exit_code_of(raised.value) == 1


def test_no_failure_is_no_error() -> None:
    many_inputs.raise_failures([], num_inputs=3)


def _run_in_threads(process: Callable[[Source], object], *, sources: Iterable[Source | None] = SOURCES):
    return many_inputs.process_in_threads(sources, process, num_threads=2, stop=threading.Event())


def test_threads_work_on_several_inputs_at_a_time() -> None:
    both = threading.Barrier(2, timeout=30)

    def process(source: Source) -> str:
        if source.name in "ab":
            both.wait()
        return source.name.upper()

    outcomes = list(_run_in_threads(process))
    assert sorted(outcome.result for outcome in outcomes if isinstance(outcome, many_inputs.Done)) == [
        "A",
        "B",
        "C",
    ]


def test_a_failure_in_a_thread_does_not_stop_the_others() -> None:
    def process(source: Source) -> str:
        if source.name == "b":
            raise VideoError("b.mp4: not a video")
        return source.name

    kinds = {outcome.source.name: type(outcome) for outcome in _run_in_threads(process)}
    assert kinds == {"a": many_inputs.Done, "b": many_inputs.Failed, "c": many_inputs.Done}


def test_a_defect_in_a_thread_stops_the_others() -> None:
    stop = threading.Event()

    def process(source: Source) -> None:
        if source.name == "a":
            raise ZeroDivisionError
        assert stop.wait(timeout=30)

    with pytest.raises(ZeroDivisionError):
        list(many_inputs.process_in_threads(SOURCES, process, num_threads=2, stop=stop))


@pytest.mark.parametrize("in_threads", [False, True])
def test_a_pause_between_inputs_is_skipped(in_threads: bool) -> None:
    sources = [SOURCES[0], None, SOURCES[1]]
    run = _run_in_threads(lambda source: source.name, sources=sources) if in_threads else None
    outcomes = list(run or many_inputs.process_each(sources, lambda source: source.name))
    assert sorted(outcome.source.name for outcome in outcomes) == ["a", "b"]
