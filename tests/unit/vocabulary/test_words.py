import pytest

from ovvis_cli.vocabulary.words import fold, prompt_text, readings, singular, unknown_words, without_qualifier


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("dogs", "dog"), ("puppies", "puppy"), ("boxes", "box"), ("benches", "bench"),
        ("brushes", "brush"), ("tomatoes", "tomato"), ("people", "person"), ("mice", "mouse"),
        ("wolves", "wolf"), ("geese", "goose"), ("buses", "bus"), ("horses", "horse"), ("roses", "rose"),
        ("cookies", "cookie"), ("glasses", "glasses"), ("bus", "bus"), ("glass", "glass"),
        ("scissors", "scissors"), ("gas", "gas"), ("octopus", "octopus"), ("hot dogs", "hot dog"),
        ("sheep", "sheep"), ("ties", "tie"), ("stairs", "stairs"), ("shoes", "shoe"),
    ],
)  # fmt: skip
def test_singular(plural: str, expected: str) -> None:
    assert singular(plural) == expected


def test_fold_makes_spellings_equal() -> None:
    assert fold("  Hot_Dog ") == fold("hot-dog") == fold("HOT  DOG") == "hot dog"


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


def test_unknown_words_are_listed_once_in_order() -> None:
    known = {"dog", "big", "hot", "air", "balloon"}
    names = ["big dogs", "quokka", "hot-air balloon", "Quokka_axolotl"]
    assert unknown_words(names, known) == ["quokka", "axolotl"]
    assert unknown_words(["dog", "Dogs"], known) == []
