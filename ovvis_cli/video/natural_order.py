"""Sorting names as people read them: frame10 after frame9, 0.1 after 0.05."""

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import PurePath
from typing import TypeVar

T = TypeVar("T")
_Key = tuple[list[tuple[int, Fraction, str]], str]

_WHOLE = re.compile(r"(\d+)")
_DECIMAL = re.compile(r"((?<![\d.])\d+\.\d+(?!\.?\d)|\d+)")  # but no part of 1.2.3, which counts
_FRACTION = re.compile(r"(?<![\d.])\d+\.(\d+)(?!\.?\d)")


def in_natural_order(items: Iterable[T], *, key: Callable[[T], str]) -> list[T]:
    """The items by the numbers and words of their names, of which `key` gives one each.

    Whether a dot between digits is a decimal point (0.05, 0.1, 0.15) or separates two counts (1.9, 1.10) is
    told by all names together: numbers of different length that end in zero are counts.
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
    """The name without a suffix such as .png: digits in it, as of .3gp, belong to no number."""
    suffix = PurePath(name).suffix
    return name.removesuffix(suffix) if re.search(r"[a-zA-Z]", suffix) else name
