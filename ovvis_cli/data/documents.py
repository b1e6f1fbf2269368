"""Reader of JSON files written by others, with clear messages about what is wrong."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from ovvis_cli.errors import AnnotationError

JsonObject: TypeAlias = dict[str, object]

_MAX_SHOWN: Final = 40  # characters of a string


def read_json(path: Path) -> object:
    """Read a JSON file; a byte order mark is skipped.

    Raises:
        AnnotationError: the file is missing, empty, not UTF-8 or not valid JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not a text file", hint="a JSON file in UTF-8 is needed") from error
    except OSError as error:
        raise AnnotationError(f"cannot read {path}: {error.strerror}") from error
    if not text.strip():
        raise AnnotationError(f"{path}: the file is empty", hint="it was probably not written completely")
    try:
        with without_collection():
            return json.loads(text)
    except json.JSONDecodeError as error:
        raise AnnotationError(
            f"{path}: not valid JSON, line {error.lineno} column {error.colno}: {error.msg}",
            hint="its writing was probably interrupted" if _is_cut(text) else "",
        ) from error
    except RecursionError as error:
        raise AnnotationError(f"{path}: not usable JSON, nested too deeply") from error


def shown(value: object) -> str:
    """Return a JSON value for messages: short values literally, others by their kind."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value!r}"
    return f"the text {value!r}" if isinstance(value, str) and len(value) <= _MAX_SHOWN else kind_of(value)


def kind_of(value: object) -> str:
    """Return the kind of a JSON value for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


@contextmanager
def without_collection() -> Iterator[None]:
    """Disable garbage collection while reading: none of the millions of new objects is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_cut(text: str) -> bool:
    closing = {"[": "]", "{": "}"}.get(text.lstrip()[0])
    return closing is not None and not text.rstrip().endswith(closing)
