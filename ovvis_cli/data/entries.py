"""Typed access to keys of JSON objects; errors name file, entry and key."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ovvis_cli.data.documents import JsonObject, kind_of, shown
from ovvis_cli.errors import AnnotationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object of a file; `where` names it, such as "entry 3"."""

    path: Path
    where: str
    content: JsonObject

    def error(self, message: str, *, hint: str = "") -> AnnotationError:
        """Return the error to raise about this entry."""
        return AnnotationError(f"{self.path}: {self.where}: {message}", hint=hint)

    def value(self, key: str) -> object:
        """Return the value of `key`. Raises AnnotationError if it is missing."""
        if key not in self.content:
            raise self.error(f"key {key} is missing")
        return self.content[key]

    def integer(self, key: str) -> int:
        """Return a whole number. Raises AnnotationError if it is missing or has another type."""
        value = self.value(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"{key} must be an integer, not {shown(value)}")
        return value

    def number(self, key: str) -> float:
        """Return a finite number. Raises AnnotationError if it is missing or has another type."""
        value = self.value(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(f"{key} must be a number, not {shown(value)}")
        number = float(value)
        if number - number != 0:  # not a number, or infinite
            raise self.error(f"{key} is not a finite number")
        return number

    def text(self, key: str) -> str:
        """Return a string. Raises AnnotationError if it is missing or has another type."""
        value = self.value(key)
        if not isinstance(value, str):
            raise self.error(f"{key} must be a text, not {shown(value)}")
        return value

    def items(self, key: str) -> Sequence[object]:
        """Return a list. Raises AnnotationError if it is missing or has another type."""
        value = self.value(key)
        if not isinstance(value, list):
            raise self.error(f"{key} must be a list, not {shown(value)}")
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a string, or None if it is missing or has another type."""
        value = self.content.get(key)
        return value if isinstance(value, str) else None

    def optional_integer(self, key: str) -> int | None:
        """Return a whole number, or None if it is missing or has another type."""
        value = self.content.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def objects_of(items: Sequence[object], *, path: Path, name: str) -> list[Entry]:
    """Return the items as entries "name 0", "name 1" ... Raises AnnotationError if one is not an object."""
    entries = []
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise AnnotationError(f"{path}: {name} {index} is {kind_of(item)}, an object was expected")
        entries.append(Entry(path=path, where=f"{name} {index}", content=item))
    return entries
