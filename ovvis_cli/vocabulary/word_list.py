"""Word lists: the table rows of each word that a model knows, and warnings about unknown words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ovvis_cli.vocabulary.words import compact, readings, spellings

_MAX_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WordList:
    """Table rows by word. A word may have many rows ("dog": each breed), and a row many words."""

    row_names: tuple[str, ...]
    rows_of: Mapping[str, frozenset[int]]  # by folded word
    words: Mapping[str, str]  # the folded words by their compact spelling

    def reading(self, name: str) -> str | None:
        """Return the listed word for a name: itself, its singular or its head noun; None if unknown.

        Hyphens, accents and spaces within a compound make no difference: `skate boards` is `skateboard`.
        """
        whole = (
            word for spelling in spellings(name) for word in (spelling, self.words.get(compact(spelling)))
        )
        candidates = (*whole, *readings(name))
        return next((word for word in candidates if word in self.rows_of), None)

    def rows(self, names: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the rows of each name in ascending order; an empty tuple for an unknown name.

        If one name is narrower than another ("dog" and "animal"), their common rows belong to the narrower
        name only.
        """
        meanings = [self._meaning(name) for name in names]
        own = []
        for meaning in meanings:
            narrower = frozenset().union(*(other for other in meanings if other < meaning))
            own.append(tuple(sorted(meaning - narrower or meaning)))
        return own

    def warnings(self, names: Sequence[str], *, model_name: str) -> list[str]:
        """Return warnings about names that the model cannot interpret exactly, one line each."""
        lines = []
        unknown = [name for name in names if self.reading(name) is None]
        if unknown:
            lines.append(
                f"{model_name} never read these words in training and cannot find them: {_shown(unknown)}"
            )
        heads = [
            f"{name} as {reading}"
            for name in names
            if (reading := self.reading(name)) is not None and not self._is_whole(name, reading)
        ]
        if heads:
            lines.append(f"{model_name} uses only the head noun of these names: {_shown(heads)}")
        by_rows: dict[frozenset[int], list[str]] = {}
        for name in names:
            by_rows.setdefault(self._meaning(name), []).append(name)
        same = [" = ".join(equal) for rows, equal in by_rows.items() if rows and len(equal) > 1]
        if same:
            lines.append(f"{model_name} cannot distinguish these names, they share a score: {_shown(same)}")
        return lines

    def _is_whole(self, name: str, reading: str) -> bool:
        return compact(reading) in map(compact, spellings(name))

    def _meaning(self, name: str) -> frozenset[int]:
        reading = self.reading(name)
        return frozenset() if reading is None else self.rows_of[reading]


@cache
def word_list(table: str) -> WordList:
    """Return the packaged word list of a table (`tables/TABLE.json`)."""
    file = resources.files("ovvis_cli.vocabulary") / "tables" / f"{table}.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    return WordList(
        row_names=tuple(content["rows"]),
        rows_of={word: parse_rows(text) for word, text in content["words"].items()},
        words={compact(word): word for word in content["words"]},
    )


def parse_rows(text: str) -> frozenset[int]:
    """Parse a list of row numbers and ranges such as `151-268,1028`.

    Raises:
        ValueError: the text is not such a list.
    """
    rows: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        rows.update(range(int(first), int(last or first) + 1))
    return frozenset(rows)


def _shown(entries: Sequence[str]) -> str:
    others = f" and {len(entries) - _MAX_SHOWN} more" if len(entries) > _MAX_SHOWN else ""
    return ", ".join(entries[:_MAX_SHOWN]) + others
