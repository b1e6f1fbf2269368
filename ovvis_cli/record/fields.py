"""Typed access to the fields of a JSON object; errors name the path of the field."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, cast

from ovvis_cli.errors import RecordError
from ovvis_cli.record.schema import SettingValue

_T = TypeVar("_T")


def parse_json(text: str, *, where: str) -> object:
    """Parse a JSON text; `where` names it in errors.

    Raises:
        RecordError: it is not JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise RecordError(
            f"{where} is not valid JSON: {error}",
            hint="the record is damaged; run ovvis segment again with --overwrite",
        ) from error


class Fields:
    """A JSON object with typed access; a missing or wrong field raises RecordError with its path."""

    def __init__(self, value: object, *, where: str) -> None:
        if not isinstance(value, dict):
            raise RecordError(f"{where} must be a JSON object, not {type(value).__name__}")
        self._values: dict[str, object] = value
        self._where = where

    def integer(self, name: str) -> int:
        """Return a whole number."""
        value = self._get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self._wrong(name, "a whole number", value)

    def real(self, name: str) -> float:
        """Return a number."""
        value = self._get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise self._wrong(name, "a number", value)

    def string(self, name: str) -> str:
        """Return a string."""
        value = self._get(name)
        if isinstance(value, str):
            return value
        raise self._wrong(name, "a string", value)

    def boolean(self, name: str) -> bool:
        """Return a boolean."""
        value = self._get(name)
        if isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false", value)

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """Return a string that is one of `choices`."""
        value = self.string(name)
        if value in choices:
            return value
        raise self._wrong(name, f"one of {', '.join(choices)}", value)

    def optional(self, name: str, read: Callable[[str], _T]) -> _T | None:
        """Return what `read` returns, or None if the field is null."""
        return None if self._get(name) is None else read(name)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self._list(name)
        if all(isinstance(value, str) for value in values):
            return tuple(cast(list[str], values))
        raise self._wrong(name, "a list of strings", values)

    def integers(self, name: str, *, length: int) -> tuple[int, ...]:
        """Return a list of `length` whole numbers."""
        values = self._list(name)
        if len(values) == length and all(type(value) is int for value in values):
            return tuple(cast(list[int], values))
        raise self._wrong(name, f"{length} whole numbers", values)

    def scalars(self, name: str) -> Mapping[str, SettingValue]:
        """Return an object of strings, numbers, booleans and nulls."""
        value = self._get(name)
        if isinstance(value, dict) and all(isinstance(v, SettingValue) for v in value.values()):
            return cast(dict[str, SettingValue], value)
        raise self._wrong(name, "an object of strings, numbers, booleans and nulls", value)

    def child(self, name: str) -> "Fields":
        """Return a nested object."""
        return Fields(self._get(name), where=f"{self._where}: {name}")

    def children(self, name: str) -> "list[Fields]":
        """Return a list of objects."""
        entries = self._list(name)
        return [Fields(entry, where=f"{self._where}: {name}[{i}]") for i, entry in enumerate(entries)]

    def _list(self, name: str) -> list[object]:
        value = self._get(name)
        if isinstance(value, list):
            return value
        raise self._wrong(name, "a list", value)

    def _get(self, name: str) -> object:
        if name not in self._values:
            raise RecordError(
                f"{self._where}: {name} is missing", hint="the file is damaged or not an ovvis record"
            )
        return self._values[name]

    def _wrong(self, name: str, wanted: str, found: object) -> RecordError:
        return RecordError(f"{self._where}: {name} should be {wanted}, found {found!r:.60}")
