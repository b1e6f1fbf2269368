import pytest

from ovvis_cli.vocabulary.words import (
    fold,
    possible_singulars,
    prompt_text,
    readings,
    singular,
    without_qualifier,
)


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("dogs", "dog"), ("puppies", "puppy"), ("boxes", "box"), ("benches", "bench"),
        ("brushes", "brush"), ("tomatoes", "tomato"), ("people", "person"), ("mice", "mouse"),
        ("wolves", "wolf"), ("geese", "goose"), ("buses", "bus"), ("horses", "horse"), ("roses", "rose"),
        ("cookies", "cookie"), ("glasses", "glasses"), ("bus", "bus"), ("glass", "glass"),
        ("scissors", "scissors"), ("gas", "gas"), ("octopus", "octopus"), ("hot dogs", "hot dog"),
        ("sheep", "sheep"), ("ties", "tie"), ("stairs", "stairs"), ("shoes", "shoe"),
        ("heroes", "hero"), ("canoes", "canoe"), ("octopuses", "octopus"), ("greenhouses", "greenhouse"),
        ("gloves", "glove"), ("lenses", "lens"), ("atlases", "atlas"), ("pizza", "pizza"), ("taxi", "taxi"),
    ],
)  # fmt: skip
def test_singular(plural: str, expected: str) -> None:
    assert singular(plural) == expected


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("dwarves", "dwarf"), ("wives", "wife"), ("sleeves", "sleeve"), ("zombies", "zombie"),
        ("irises", "iris"), ("octopi", "octopus"), ("stadia", "stadium"), ("snowmen", "snowman"),
        ("salespeople", "salesperson"), ("dormice", "dormouse"), ("gateaux", "gateau"),
    ],
)  # fmt: skip
def test_the_right_singular_is_among_the_possible_ones(plural: str, expected: str) -> None:
    assert expected in possible_singulars(plural)


def test_fold_makes_spellings_equal() -> None:
    assert fold("  Hot_Dog ") == fold("hot-dog") == fold("HOT  DOG") == fold("hot\u2011dog") == "hot dog"
    assert fold("caf\u00e9") == fold("cafe\u0301")
    assert fold("\uff44\uff4f\uff47") == "dog"


def test_qualifiers() -> None:
    assert fold(without_qualifier("bat_(animal)")) == "bat"
    assert without_qualifier("(nothing else)") == "(nothing else)"
    assert prompt_text("bow_(decorative_ribbons)") == "bow decorative ribbons"
    assert prompt_text("Hot-Air_Balloon") == "Hot-Air Balloon"


def test_readings_go_from_the_whole_to_the_head() -> None:
    assert list(dict.fromkeys(readings("big hot dogs"))) == [
        "big hot dogs", "big hot dog", "hot dogs", "hot dog", "dogs", "dog",
    ]  # fmt: skip
    assert "pizza" in list(readings("slices of pizza"))
    assert "slices" not in list(readings("slices of pizza"))
    assert list(readings("bird of paradise"))[-1] == "bird"
