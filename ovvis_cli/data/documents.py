"""JSON files that people made: read whole, with a clear word about what is wrong."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from ovvis_cli.errors import AnnotationError

JsonObject: TypeAlias = dict[str, object]

_MAX_SHOWN: Final = 40  # characters of a text


def read_json(path: Path) -> object:
    """The content of a JSON file; a byte order mark is skipped.

    Raises:
        AnnotationError: there is no such file, it is empty, no UTF-8 or not valid JSON.
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
    """A JSON value in words for messages: short ones as they are written, of others their kind."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value!r}"
    return f"the text {value!r}" if isinstance(value, str) and len(value) <= _MAX_SHOWN else kind_of(value)


def kind_of(value: object) -> str:
    """What a JSON value is, in words for messages."""
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
    """For reading: of the millions of objects made none is garbage, and to look for some takes longer."""
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
