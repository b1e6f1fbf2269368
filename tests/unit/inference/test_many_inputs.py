"""One bad input does not stop a batch, and the exit code says what happened."""

import pytest

from ovvis_cli.errors import ResourceError, SomeInputsFailed, VideoError, exit_code_of
from ovvis_cli.inference import many_inputs
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
