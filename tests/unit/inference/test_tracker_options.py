"""What --tracker and its options mean for a model."""

import pytest

from ovvis_cli.errors import UsageError
from ovvis_cli.inference.tracker_options import TrackerOptions
from ovvis_models.catalog import find_spec
from ovvis_models.systems.spec import TrackerChoice


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
