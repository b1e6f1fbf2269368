"""The names that a model of a closed set can give, in the user's spelling."""

import pytest

from ovvis_cli.errors import VocabularyError
from ovvis_cli.vocabulary.categories import load_table
from ovvis_cli.vocabulary.closed_set import class_columns
from ovvis_cli.vocabulary.names import parse_classes


def columns(text: str) -> tuple[int, ...]:
    return class_columns(parse_classes(text), model_name="minvis", closed_set="ytvis2019")


@pytest.mark.parametrize("asked", ["dog,skateboard,person", "Dogs, skateboards, PEOPLE"])
def test_a_plural_has_the_column_of_its_singular(asked: str) -> None:
    names = [entry.name for entry in load_table("ytvis2019").categories]
    assert [names[column] for column in columns(asked)] == ["dog", "skateboard", "person"]


def test_names_of_the_set_keep_their_columns() -> None:
    names = [entry.name for entry in load_table("ytvis2019").categories]
    assert columns(",".join(names)) == tuple(range(len(names)))


def test_other_names_are_refused_by_name() -> None:
    with pytest.raises(VocabularyError, match=r"not mouse_\(computer\)"):  # the set has the animal
        columns("mouse_(computer)")
    with pytest.raises(VocabularyError, match="knows only the 40 classes of ytvis2019: not zeppelins"):
        columns("dog,zeppelins")
