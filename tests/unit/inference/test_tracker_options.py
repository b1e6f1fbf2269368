"""What --tracker and its options mean for a model."""

import pytest

from ovvis_cli.commands.options import parse_memory_windows
from ovvis_cli.errors import UsageError
from ovvis_cli.inference.tracker_options import TrackerOptions
from ovvis_models.catalog import find_spec
from ovvis_models.systems.spec import MEMORY_WINDOWS, TrackerChoice


def test_the_default_depends_on_the_rules() -> None:
    spec = find_spec("clipvis-tiny")
    assert TrackerOptions().resolve(spec, "product") == TrackerChoice(name="top-k")
    minvis = find_spec("minvis-r50-ovis")
    assert TrackerOptions().resolve(minvis, "published").name == "previous-frame"
    assert TrackerOptions().resolve(find_spec("instformer-tiny"), "published").name == "rollout"


def test_options_replace_the_numbers_of_their_tracker() -> None:
    spec = find_spec("clipvis-tiny")
    choice = TrackerOptions(num_frames=5, num_chosen=2).resolve(spec, "published")
    assert (choice.name, choice.num_frames, choice.num_chosen) == ("top-k", 5, 2)
    assert TrackerOptions(name="momentum", momentum=0.5).resolve(spec, "product").momentum == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TrackerOptions(name="adjacent", momentum=0.5), "--momentum does not apply to --tracker adjacent"),
        (TrackerOptions(name="rollout", num_frames=5), "--top-k-frames does not apply"),
        (TrackerOptions(name="top-k", num_frames=2, num_chosen=3), "--top-k-chosen 3 is larger than"),
        (TrackerOptions(num_chosen=10), "larger than --top-k-frames 9"),
    ],
)
def test_options_of_another_tracker_are_refused(options: TrackerOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options.resolve(find_spec("clipvis-tiny"), "product")


def test_the_memory_of_genvis_is_limited_in_segment_and_whole_in_the_protocol_of_its_paper() -> None:
    spec = find_spec("genvis-r50-ovis")
    assert TrackerOptions().resolve(spec, "product").memory_windows == MEMORY_WINDOWS
    assert TrackerOptions().resolve(spec, "published").memory_windows is None
    assert TrackerOptions(memory_windows=9).resolve(spec, "published").memory_windows == 9
    assert TrackerOptions(memory_windows="all").resolve(spec, "product").memory_windows is None


def test_genvis_carries_its_queries_and_no_other_model_does() -> None:
    with pytest.raises(UsageError, match="genvis-r50-ovis does not support --tracker adjacent"):
        TrackerOptions(name="adjacent").resolve(find_spec("genvis-r50-ovis"), "product")
    with pytest.raises(UsageError, match="clipvis-tiny does not support --tracker propagation"):
        TrackerOptions(name="propagation").resolve(find_spec("clipvis-tiny"), "product")
    with pytest.raises(UsageError, match="--memory-windows does not apply to --tracker top-k"):
        TrackerOptions(memory_windows=9).resolve(find_spec("clipvis-tiny"), "product")


@pytest.mark.parametrize("text", ["0", "-3", "some", "1.5", ""])
def test_a_number_of_windows_is_checked(text: str) -> None:
    assert parse_memory_windows("12") == 12
    assert parse_memory_windows("all") == "all"
    with pytest.raises(UsageError, match="is not a number of windows"):
        parse_memory_windows(text)
