"""Natural sort order of names: frame10 after frame9, 0.1 after 0.05."""

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import PurePath
from typing import TypeVar

T = TypeVar("T")
_Key = tuple[list[tuple[int, Fraction, str]], str]

_WHOLE = re.compile(r"(\d+)")
_DECIMAL = re.compile(r"((?<![\d.])\d+\.\d+(?!\.?\d)|\d+)")  # but not within 1.2.3, which is not decimal
_FRACTION = re.compile(r"(?<![\d.])\d+\.(\d+)(?!\.?\d)")


def in_natural_order(items: Iterable[T], *, key: Callable[[T], str]) -> list[T]:
    """Sort items by the numbers and words in their names; `key` returns the name of an item.

    A dot between digits is either a decimal point (0.05, 0.1, 0.15) or separates two integers (1.9, 1.10).
    This is decided from all names together: if the digits after the dot differ in length and a longer one
    ends in zero, they are integers.
    """
    listed = list(items)
    are_decimal = _have_decimals([_stem(key(item)) for item in listed])
    return sorted(listed, key=lambda item: _sort_key(key(item), number=_DECIMAL if are_decimal else _WHOLE))


def _have_decimals(stems: list[str]) -> bool:
    fractions = [digits for stem in stems for digits in _FRACTION.findall(stem)]
    shortest = min(map(len, fractions), default=0)
    return not any(digits.endswith("0") and len(digits) > shortest for digits in fractions)


def _sort_key(name: str, *, number: re.Pattern[str]) -> _Key:
    parts = number.split(_stem(name).casefold())
    words = [
        (0, Fraction(part), "") if position % 2 else (1, Fraction(0), part)
        for position, part in enumerate(parts)
        if part
    ]
    return words, name


def _stem(name: str) -> str:
    """Return the name without a suffix such as .3gp, whose digits must not affect the order."""
    suffix = PurePath(name).suffix
    return name.removesuffix(suffix) if re.search(r"[a-zA-Z]", suffix) else name
