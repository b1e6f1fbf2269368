"""Parsing of a classes file: one name per line, or a JSON or YAML list. Other syntax is rejected.

Nothing is guessed, because a line of syntax that is taken for a name would give a result without an error.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

from ovvis_cli.errors import VocabularyError

_HINT: Final = "write one class name on each line, or a JSON or YAML list of names"
_YAML_ITEM: Final = re.compile(r"- +(?P<value>\S.*)")
_YAML_START: Final = re.compile(r"---|%YAML.*")
_SYNTAX: Final = re.compile(
    r"""[\[\]{}<"'`].*            # a JSON, YAML, Python or XML value
    | .*["'`\]{}>,]               # its end
    | [-*] .*                     # an item of a list
    | \S[^:=]*(:|\s=)(\s.*)?      # a key
    | ---|\.\.\.""",
    re.VERBOSE,
)
_APOSTROPHE_END: Final = re.compile(r"[^\"'`\[\]{}<>]*\ws'")  # a possessive: "the dogs'"


def names_of_text(text: str, *, where: str) -> Sequence[str]:
    """Return the names in the text of a classes file, which may be none.

    Raises:
        VocabularyError: the text has another syntax, or is invalid JSON.
    """
    if text.lstrip().startswith(("[", "{")):
        return _json_names(text, where=where)
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    items = [line for line in lines if not (line == lines[0] and _YAML_START.fullmatch(line[1]))]
    if items and all(_YAML_ITEM.fullmatch(line) for _, line in items):
        return [_yaml_name(line, number=number, where=where) for number, line in items]
    for number, line in lines:
        _refuse_syntax(line, number=number, where=where)
    return [line for _, line in lines]


def _json_names(text: str, *, where: str) -> list[str]:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        position = (
            f", line {error.lineno} column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise VocabularyError(
            f"{where} looks like JSON, but is not valid JSON{position}", hint=_HINT
        ) from error
    if not isinstance(content, list):
        raise VocabularyError(f"{where} holds a JSON object; only a list of names is read", hint=_HINT)
    for place, name in enumerate(content, start=1):
        if not isinstance(name, str):
            raise VocabularyError(
                f"{where}: item {place} of the list is not a text: {json.dumps(name)[:40]}", hint=_HINT
            )
    return content


def _yaml_name(line: str, *, number: int, where: str) -> str:
    item = _YAML_ITEM.fullmatch(line)
    value = line if item is None else re.sub(r"\s+#.*", "", item["value"])
    quoted = re.fullmatch(r"""(["'])(?P<name>[^"'\\]*)\1""", value)
    if quoted is not None:
        return quoted["name"]
    _refuse_syntax(value, number=number, where=where)
    return value


def _refuse_syntax(line: str, *, number: int, where: str) -> None:
    if _SYNTAX.fullmatch(line) and not _APOSTROPHE_END.fullmatch(line):
        raise VocabularyError(
            f"{where}, line {number}: {line[:60]!r} looks like syntax rather than a class name", hint=_HINT
        )
