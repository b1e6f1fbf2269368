"""Splits of a data set's categories: base and novel, common and uncommon."""

from collections.abc import Iterable

from ovvis_cli.choices import DataSetName
from ovvis_cli.data.tracks import AnnotatedCategory
from ovvis_cli.vocabulary.categories import load_table

_NOVEL_PARTITIONS = (2, 3)


def category_splits(
    data_set: DataSetName | None, categories: Iterable[AnnotatedCategory]
) -> dict[str, frozenset[int]]:
    """Return the category ids of each split that papers report separately; empty without splits.

    LV-VIS, BURST and the diorama: as marked in the annotation file. YouTube-VIS: the split of OVFormer's
    `tools/ytvis_json.py`, by overlap with LVIS.
    """
    listed = list(categories)
    match data_set:
        case "ytvis2019" | "ytvis2021":
            novel = [entry.category_id for entry in load_table(data_set).categories if entry.split == "novel"]
            return _two("base", "novel", listed, second=novel)
        case "ytvis2022":
            return category_splits("ytvis2021", listed)
        case "lvvis":
            return _two("base", "novel", listed, second=_lvvis_novel(listed))
        case "diorama":
            novel = [entry.category_id for entry in listed if entry.split == "novel"]
            return _two("base", "novel", listed, second=novel)
        case "burst":
            uncommon = [entry.category_id for entry in listed if entry.split != "common"]
            rare = [entry.category_id for entry in listed if entry.frequency == "r"]
            return _two("common", "uncommon", listed, second=uncommon) | _two(
                "base", "novel", listed, second=rare
            )
        case _:
            return {}


def _lvvis_novel(listed: list[AnnotatedCategory]) -> list[int]:
    if all(entry.partition is not None for entry in listed):
        return [entry.category_id for entry in listed if entry.partition in _NOVEL_PARTITIONS]
    return [entry.category_id for entry in load_table("lvvis").categories if entry.split == "novel"]


def _two(
    first_name: str, second_name: str, listed: list[AnnotatedCategory], *, second: Iterable[int]
) -> dict[str, frozenset[int]]:
    known = frozenset(entry.category_id for entry in listed)
    chosen = known & frozenset(second)
    return {first_name: known - chosen, second_name: chosen}
