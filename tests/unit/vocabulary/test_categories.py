"""Facts of the data sets that evaluation depends on."""

import pytest

from ovvis_cli.choices import TABLE_NAMES, TableName
from ovvis_cli.errors import UsageError
from ovvis_cli.vocabulary.categories import burst_lists, load_table, table_name
from ovvis_cli.vocabulary.words import fold

SIZES: dict[TableName, int] = {
    "coco": 80, "lvis": 1203, "lvvis": 1196, "burst": 482,
    "ovis": 25, "ytvis2019": 40, "ytvis2021": 40, "uvo": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_tables_are_whole_and_unambiguous(name: TableName) -> None:
    table = load_table(name)
    if name in SIZES:
        assert len(table.categories) == SIZES[name]
    assert len(table.by_id()) == len(table.categories)
    prompts = [fold(category.prompt) for category in table.categories]
    assert len(set(prompts)) == len(prompts)
    assert not any(set(prompt) & set("_()") for prompt in prompts)


def count(name: TableName, **flags: object) -> int:
    return sum(
        all(getattr(category, flag) == value for flag, value in flags.items())
        for category in load_table(name).categories
    )


def test_open_vocabulary_splits() -> None:
    assert (count("lvvis", split="base"), count("lvvis", split="novel")) == (641, 555)
    assert [count("lvvis", partition=partition) for partition in range(4)] == [77, 564, 240, 315]
    assert (count("lvis", split="base"), count("lvis", split="novel")) == (866, 337)
    assert [count("lvis", frequency=frequency) for frequency in "rcf"] == [337, 461, 405]
    assert (count("burst", split="base"), count("burst", split="novel")) == (386, 96)
    assert (count("ytvis2019", split="base"), count("ytvis2021", split="base")) == (33, 34)


def test_burst_as_its_official_evaluation_sees_it() -> None:
    assert (count("burst", common=True), count("burst", common=False)) == (64, 418)
    assert count("burst", distractor=True, common=False) == 42
    person = load_table("burst").by_id()[805]
    assert (person.name, person.official_name, person.contiguous_id) == ("person", "baby", 305)
    contiguous = [category.contiguous_id for category in load_table("burst").categories]
    assert contiguous == list(range(1, 483))
    lists = burst_lists()
    assert (len(lists.known_ids), len(lists.distractor_ids)) == (78, 45)
    assert lists.merged_into[720] == 347


def test_person_has_another_id_in_each_youtube_vis() -> None:
    for name, category_id in (("ytvis2019", 1), ("ytvis2021", 26)):
        assert load_table(name).by_id()[category_id].name == "person"


def test_misspelt_name_is_kept_but_not_prompted() -> None:
    last = load_table("ovis").by_id()[25]
    assert (last.name, last.prompt) == ("Vehical", "vehicle")


def test_diorama_table_equals_the_kinds_that_the_diorama_draws() -> None:
    from ovvis_cli.diorama.annotations import category_entries
    from ovvis_cli.diorama.kinds import ALL_KINDS

    table = load_table("diorama")
    assert [(c.category_id, c.name, c.split) for c in table.categories] == [
        (entry["id"], entry["name"], entry["split"]) for entry in category_entries(ALL_KINDS)
    ]
    assert [(c.prompt, c.synonyms) for c in table.categories] == [
        (kind.name, tuple(kind.synonyms)) for kind in ALL_KINDS
    ]


def test_table_names_are_understood_in_any_case() -> None:
    assert table_name("LVVIS") == "lvvis"
    with pytest.raises(UsageError, match="unknown vocabulary 'imagenet'"):
        table_name("imagenet")
