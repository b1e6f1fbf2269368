"""Every number of an `expected.json` beside ours."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.evaluation.figures import printed_numbers

TOLERANCE = 1e-9

# what is said about the official code, not a figure of it
_ABOUT = frozenset(
    {"cross_checks", "cross_check_TrackEval", "quirks_exercised_or_worth_knowing", "HOTA_alphas", "recThrs"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One expected number; `ours` is None where we have none."""

    name: str
    expected: float
    ours: float | None
    tolerance: float = TOLERANCE

    @property
    def agrees(self) -> bool:
        """Equal to 1e-9, or as printed."""
        return self.ours is not None and abs(self.ours - self.expected) <= self.tolerance


def compare(expected: Mapping[str, Any], ours: Mapping[str, Any], *, name: str = "") -> Iterator[Number]:
    """All numbers of `expected`, in its order. Null stands for -1: nothing to measure."""
    for key, value in expected.items():
        if key in _ABOUT:
            continue
        yield from _walk(value, ours.get(key, {}), name=f"{name}.{key}" if name else key)


def _walk(expected: Any, ours: Any, *, name: str) -> Iterator[Number]:
    if name.endswith("printed_lines"):
        yield from _printed(expected, ours, name=name)
    elif isinstance(expected, Mapping):
        own = ours if isinstance(ours, Mapping) else {}
        yield from compare(expected, own, name=name)
    elif isinstance(expected, list):
        own_items = ours if isinstance(ours, list) else []
        for index, item in enumerate(expected):
            own_item = own_items[index] if index < len(own_items) else None
            yield from _walk(item, own_item, name=f"{name}[{index}]")
        if isinstance(ours, list) and len(ours) != len(expected):
            yield Number(name=f"{name} (count)", expected=len(expected), ours=len(ours))
    elif not isinstance(expected, str | bool) and not (expected is None and name.endswith(".name")):
        yield Number(name=name, expected=_number(expected), ours=_own_number(ours))


def _printed(expected: list[str], ours: Any, *, name: str) -> Iterator[Number]:
    texts = [text for line in printed_numbers(expected) for text in line]
    values = ours if isinstance(ours, list) else []
    for index, text in enumerate(texts):
        digits = len(text.split(".")[1])
        value = _own_number(values[index]) if index < len(values) else None
        tolerance = 0.5 * 10**-digits + TOLERANCE
        yield Number(name=f"{name}[{index}]", expected=float(text), ours=value, tolerance=tolerance)


def _number(value: Any) -> float:
    return -1.0 if value is None else float(value)


def _own_number(value: Any) -> float | None:
    if value is None:
        return -1.0
    if isinstance(value, Mapping | list | str):
        return None  # there is no such figure of ours
    number = float(value)
    return -1.0 if math.isnan(number) else number
