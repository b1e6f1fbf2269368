"""Words that a model has a table of: which rows each means, and what to tell of the others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ovvis_cli.vocabulary.words import readings, spellings

_MAX_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WordList:
    """Rows of a table by word; a word may mean many rows ("dog": each breed), and rows have many words."""

    row_names: tuple[str, ...]
    rows_of: Mapping[str, frozenset[int]]  # by folded word

    def reading(self, name: str) -> str | None:
        """Return the word that a name is read as: itself, its singular or its head noun; None if unknown."""
        return next((reading for reading in readings(name) if reading in self.rows_of), None)

    def rows(self, names: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the rows of each name, ascending; none for an unknown one.

        Where one name means a part of another ("dog" and "animal"), the rows of that part are its own, so
        that the narrower name wins.
        """
        meanings = [self._meaning(name) for name in names]
        own = []
        for meaning in meanings:
            narrower = frozenset().union(*(other for other in meanings if other < meaning))
            own.append(tuple(sorted(meaning - narrower or meaning)))
        return own

    def listed(self, name: str, *, among: Sequence[str]) -> str:
        """Return which of some words means the same as a name: `human` is `person`.

        Raises:
            KeyError: none does.
        """
        meaning = self._meaning(name)
        for word in (name, *among):
            if word in among and self._meaning(word) == meaning:
                return word
        raise KeyError(f"no word means the same as {name!r}")

    def warnings(self, names: Sequence[str], *, model_name: str) -> list[str]:
        """Return what a user should know about these names, one line each; often there is nothing."""
        lines = []
        unknown = [name for name in names if self.reading(name) is None]
        if unknown:
            lines.append(f"{model_name} does not know these words and finds none of them: {_shown(unknown)}")
        heads = [
            f"{name} as {reading}"
            for name in names
            if (reading := self.reading(name)) is not None and reading not in spellings(name)
        ]
        if heads:
            lines.append(f"{model_name} reads only the last word of these: {_shown(heads)}")
        by_rows: dict[frozenset[int], list[str]] = {}
        for name in names:
            by_rows.setdefault(self._meaning(name), []).append(name)
        same = [" = ".join(equal) for rows, equal in by_rows.items() if rows and len(equal) > 1]
        if same:
            lines.append(f"{model_name} cannot tell these names apart, they share a score: {_shown(same)}")
        return lines

    def _meaning(self, name: str) -> frozenset[int]:
        reading = self.reading(name)
        return frozenset() if reading is None else self.rows_of[reading]


@cache
def word_list(table: str) -> WordList:
    """Return the packaged list of a table of words (`tables/TABLE.json`)."""
    file = resources.files("ovvis_cli.vocabulary") / "tables" / f"{table}.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    return WordList(
        row_names=tuple(content["rows"]),
        rows_of={word: parse_rows(text) for word, text in content["words"].items()},
    )


def parse_rows(text: str) -> frozenset[int]:
    """Return the numbers of a list such as `151-268,1028`.

    Raises:
        ValueError: it is not such a list.
    """
    rows: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        rows.update(range(int(first), int(last or first) + 1))
    return frozenset(rows)


def _shown(entries: Sequence[str]) -> str:
    others = f" and {len(entries) - _MAX_SHOWN} more" if len(entries) > _MAX_SHOWN else ""
    return ", ".join(entries[:_MAX_SHOWN]) + others
