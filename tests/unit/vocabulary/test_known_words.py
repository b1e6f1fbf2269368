"""A name is asked in the spelling that the text tower has read; what it has not read is told."""

import pytest

from ovvis_cli.vocabulary.distractors import ClosedName, diorama_world
from ovvis_cli.vocabulary.known_words import DIORAMA_MODELS, WORD_LISTS, known_words, vocabulary_warnings
from ovvis_cli.vocabulary.word_list import word_list
from ovvis_models.catalog import CATALOG
from ovvis_models.systems.word_clip_vis import WordClipVisSpec

WORLD = known_words(diorama_world())


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("dog", "dog"), ("dogs", "dog"), ("DOGS", "dog"), ("skateboards", "skateboard"),
        ("puppies", "puppy"), ("butterflies", "butterfly"), ("brushes", "brush"), ("buses", "bus"),
        ("boxes of cats", "boxes of cat"), ("cacti", "cactus"), ("cactuses", "cactus"), ("fungi", "fungus"),
        ("hot air balloons", "hot air balloon"), ("Hot-Air Balloons", "hot air balloon"),
        ("hot_air_balloon", "hot air balloon"), ("ice-cream", "ice cream"), ("icecreams", "ice cream"),
        ("skate-board", "skateboard"), ("skate boards", "skateboard"), ("slices of pizza", "slice of pizza"),
        ("gâteaux", "gateau"), ("ga\u0302teau", "gateau"), ("pairs of scissors", "pair of scissors"),
        ("sheep dogs", "sheep dog"), ("knives", "knives"), ("Quokka", "Quokka"), ("собаки", "собаки"),
    ],
)  # fmt: skip
def test_a_name_is_asked_as_the_tower_has_read_it(asked: str, read: str) -> None:
    assert WORLD.spelled(asked) == read


def test_every_name_of_the_world_is_asked_as_it_is() -> None:
    names = [name for entry in diorama_world() for name in (entry.name, *entry.synonyms)]
    assert [WORLD.spelled(name) for name in names] == names
    assert WORLD.unknown(names) == ()


def test_unknown_words_are_listed_once_in_order() -> None:
    known = known_words([ClosedName(name="hot air balloon"), ClosedName(name="big dog")])
    names = ["big dogs", "quokka", "hot-air balloon", "Quokka_axolotl"]
    assert known.unknown(names) == ("quokka", "axolotl")
    assert known.unknown(["dog", "Dogs", "HotAir-Balloons"]) == ()


def test_marks_of_other_scripts_are_not_taken_off() -> None:
    known = known_words([ClosedName(name="гайка"), ClosedName(name="घर")])
    assert known.spelled("гаика") == "гаика"
    assert known.unknown(["घोर"]) == ("घोर",)


def test_models_of_the_diorama_are_those_of_the_catalog() -> None:
    assert {spec.name for spec in CATALOG.values() if spec.text_domain == "diorama"} == DIORAMA_MODELS


def test_tables_of_words_are_those_of_the_catalog() -> None:
    tables = {spec.name: spec.words for spec in CATALOG.values() if isinstance(spec, WordClipVisSpec)}
    assert dict(WORD_LISTS) == tables
    (unknown,) = vocabulary_warnings(["dogs", "quokkaxyz"], model_name="clipvis-camera")
    assert unknown == "clipvis-camera never read these words in training and cannot find them: quokkaxyz"


def test_warnings_name_unknown_words_and_names_that_are_one() -> None:
    assert vocabulary_warnings(["dogs", "skateboard"], model_name="instformer-tiny") == []
    assert vocabulary_warnings(["zeppelin"], model_name="instformer-r50") == []
    (unknown,) = vocabulary_warnings(["dog", "zeppelin", "warthog"], model_name="clipvis-tiny")
    assert (
        unknown
        == "clipvis-tiny never read these words in training, their labels are unreliable: zeppelin, warthog"
    )
    (same,) = vocabulary_warnings(["dog", "cat", "dogs"], model_name="instformer-tiny")
    assert same == "instformer-tiny cannot distinguish these names, they share a score: dog = dogs"


def test_long_lists_of_unknown_words_are_cut() -> None:
    (text,) = vocabulary_warnings([f"blorp{number}" for number in range(20)], model_name="instformer-tiny")
    assert text.endswith("blorp7 and 12 more")


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("dogs", "dog"), ("DOGS", "dog"), ("skate boards", "skateboard"), ("Gâteaux", "gateau"),
        ("hot-dogs", "hot dog"), ("ice-creams", "ice cream"), ("wolves", "wolf"),
        ("teddy-bears", "teddy bear"), ("pairs of scissors", "scissors"), ("quokkaxyz", None),
    ],
)  # fmt: skip
def test_a_list_of_words_reads_other_spellings_too(asked: str, read: str | None) -> None:
    words = word_list("photographs")
    assert words.reading(asked) == read
    assert bool(words.warnings([asked], model_name="m")) == (read in {None, "scissors"})
