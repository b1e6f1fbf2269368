"""Keys of JSON objects, each checked as it is read; a complaint names file, entry and key."""

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
        """The error to raise about this entry."""
        return AnnotationError(f"{self.path}: {self.where}: {message}", hint=hint)

    def value(self, key: str) -> object:
        """What stands under `key`. Raises AnnotationError when it is missing."""
        if key not in self.content:
            raise self.error(f"key {key} is missing")
        return self.content[key]

    def integer(self, key: str) -> int:
        """A whole number. Raises AnnotationError when it is missing or something else."""
        value = self.value(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"{key} must be an integer, not {shown(value)}")
        return value

    def number(self, key: str) -> float:
        """A finite number. Raises AnnotationError when it is missing or something else."""
        value = self.value(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(f"{key} must be a number, not {shown(value)}")
        number = float(value)
        if number - number != 0:  # not a number, or infinite
            raise self.error(f"{key} is not a finite number")
        return number

    def text(self, key: str) -> str:
        """A text. Raises AnnotationError when it is missing or something else."""
        value = self.value(key)
        if not isinstance(value, str):
            raise self.error(f"{key} must be a text, not {shown(value)}")
        return value

    def items(self, key: str) -> Sequence[object]:
        """A list. Raises AnnotationError when it is missing or something else."""
        value = self.value(key)
        if not isinstance(value, list):
            raise self.error(f"{key} must be a list, not {shown(value)}")
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, or None where there is something else or nothing."""
        value = self.content.get(key)
        return value if isinstance(value, str) else None

    def optional_integer(self, key: str) -> int | None:
        """A whole number, or None where there is something else or nothing."""
        value = self.content.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def objects_of(items: Sequence[object], *, path: Path, name: str) -> list[Entry]:
    """The items of a list as entries "name 0", "name 1" ... Raises AnnotationError where one is no object."""
    entries = []
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise AnnotationError(f"{path}: {name} {index} is {kind_of(item)}, an object was expected")
        entries.append(Entry(path=path, where=f"{name} {index}", content=item))
    return entries
