"""Words of a table: which rows a name means, and what a user is told of the others."""

import pytest

from ovvis_cli.vocabulary.word_list import WordList, parse_rows, word_list

SMALL = WordList(
    row_names=("poodle", "beagle", "tabby", "taxi"),
    rows_of={
        "poodle": frozenset({0}),
        "dog": frozenset({0, 1}),
        "hound": frozenset({0, 1}),
        "cat": frozenset({2}),
        "animal": frozenset({0, 1, 2}),
        "taxi": frozenset({3}),
    },
    words={},
)


def test_a_plural_or_a_compound_is_read_as_a_listed_word():
    assert SMALL.rows(["Dogs", "police-dog", "cat"]) == [(0, 1), (0, 1), (2,)]


def test_a_wider_word_leaves_the_rows_of_a_narrower_one_to_it():
    assert SMALL.rows(["animal", "dog"]) == [(2,), (0, 1)]
    assert SMALL.rows(["animal"]) == [(0, 1, 2)]


def test_words_that_mean_the_same_keep_their_rows_and_are_named():
    assert SMALL.rows(["dog", "hound"]) == [(0, 1), (0, 1)]
    (line,) = SMALL.warnings(["dog", "hound"], model_name="m")
    assert "cannot distinguish these names" in line and "dog = hound" in line


def test_unknown_words_are_named_and_mean_no_row():
    assert SMALL.rows(["blorp"]) == [()]
    (line,) = SMALL.warnings(["blorp", "cat"], model_name="m")
    assert "never read" in line and "blorp" in line and "cat" not in line


def test_a_compound_of_which_only_the_last_word_is_read_is_named():
    assert SMALL.warnings(["police dog"], model_name="m") == [
        "m uses only the head noun of these names: police dog as dog"
    ]


def test_ranges_of_rows_are_parsed():
    assert parse_rows("3,7-9") == {3, 7, 8, 9}


def test_the_packaged_list_knows_common_things_and_no_row_beyond_the_table():
    words = word_list("photographs")
    assert len(words.row_names) == 1125
    assert all(max(rows) < 1125 for rows in words.rows_of.values())
    for name in ("person", "people", "dog", "cars", "bird", "cow", "goat", "camel", "zebra", "umbrella"):
        assert words.reading(name) is not None, name
    assert words.rows_of["dog"] < words.rows_of["animal"]
    assert not words.rows_of["person"] & words.rows_of["dog"]


def test_an_unknown_word_is_never_given_and_all_other_rows_are_distractors():
    import torch

    from ovvis_cli.labelling.class_rows import _listed_rows
    from ovvis_cli.vocabulary.names import parse_classes
    from ovvis_models.text.naming import ListedVocabulary

    naming = ListedVocabulary(table="photographs", rows=torch.eye(1133), logit_scale=1.0)
    rows = _listed_rows(naming, parse_classes("zebra,blorp"), model_name="m", distractors=True)
    assert rows.synonyms == (len(word_list("photographs").rows_of["zebra"]), 0)
    assert len(rows.embeds) == 1133, "all other rows are distractors"
    probs = rows.per_name(torch.zeros(1, 1133)).softmax(dim=1)
    assert probs[0, 1] == 0, "an unknown word is never given"
    assert float(probs[0, 0]) == pytest.approx(rows.synonyms[0] / 1133)
