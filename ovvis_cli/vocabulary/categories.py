"""Category tables of the data sets: ids, names, and the flags that define evaluation groups."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from ovvis_cli.choices import TABLE_NAMES, TableName
from ovvis_cli.errors import UsageError
from ovvis_cli.vocabulary.words import prompt_text

Split = Literal["base", "novel"]
Frequency = Literal["f", "c", "r"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One category of a data set, with the data set's id. Flags that the data set lacks are None."""

    category_id: int
    name: str  # exactly as the data set writes it
    prompt: str  # as used in prompts
    synonyms: tuple[str, ...] = ()  # diorama: other names of the same kind
    split: Split | None = None  # in the usual open-vocabulary split
    frequency: Frequency | None = None  # LVIS: frequent, common, rare
    partition: int | None = None  # LV-VIS: 0 COCO, 1 LVIS frequent or common, 2 LVIS rare, 3 new
    common: bool | None = None  # BURST: common (COCO-like) or uncommon
    contiguous_id: int | None = None  # BURST: id in files converted to YouTube-VIS style
    distractor: bool = False  # BURST: removed by the official evaluation
    official_name: str | None = None  # BURST: name in the official evaluation's tables, where it differs


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryTable:
    """Categories of one data set, in the order of its file."""

    name: TableName
    source: str
    categories: tuple[Category, ...]

    def by_id(self) -> Mapping[int, Category]:
        """Return the categories by `category_id`."""
        return {category.category_id: category for category in self.categories}


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstLists:
    """BURST's official id lists, which cover more than its 482 categories; ids of LVIS v0.5."""

    known_ids: frozenset[int]
    distractor_ids: frozenset[int]
    merged_into: Mapping[int, int]


def table_name(text: str) -> TableName:
    """Return the table of a name, ignoring case. Raises UsageError, listing the tables, if there is none."""
    for name in TABLE_NAMES:
        if name == text.casefold():
            return name
    raise UsageError(f"unknown vocabulary '{text}'", hint=f"one of {', '.join(TABLE_NAMES)}")


@cache
def load_table(name: TableName) -> CategoryTable:
    """Load the category table of a data set."""
    content = _read(name)
    return CategoryTable(
        name=name, source=content["source"], categories=tuple(_category(row) for row in content["categories"])
    )


def burst_lists() -> BurstLists:
    """Return the lists that BURST's official evaluation hard-codes."""
    content = _read("burst")
    return BurstLists(
        known_ids=frozenset(content["known_ids"]),
        distractor_ids=frozenset(content["distractor_ids"]),
        merged_into={int(source): target for source, target in content["merged_into"].items()},
    )


def _category(row: dict[str, Any]) -> Category:
    return Category(
        category_id=row["id"],
        name=row["name"],
        prompt=row.get("prompt", prompt_text(row["name"])),
        synonyms=tuple(row.get("synonyms", ())),
        split=row.get("split"),
        frequency=row.get("frequency"),
        partition=row.get("partition"),
        common=row.get("common"),
        contiguous_id=row.get("contiguous_id"),
        distractor=row.get("distractor", False),
        official_name=row.get("official_name"),
    )


def _read(name: TableName) -> dict[str, Any]:
    path = resources.files("ovvis_cli.vocabulary") / "tables" / f"{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
