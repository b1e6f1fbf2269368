"""Reports of an evaluation: tables for the console and metrics.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ovvis_cli.atomic import write_text_atomic
from ovvis_cli.console import JsonValue
from ovvis_cli.evaluation.scoring import ScoreSection

METRICS_NAME: Final = "metrics.json"
_VERSION: Final = 1
_COUNTS: Final = frozenset(
    {"num_classes", "num_objects", "num_matched_objects", "identity_switches", "identity_chances"}
)
_OF_OBJECTS: Final = frozenset(
    {
        "AR10_class_agnostic",
        "label_accuracy",
        "num_matched_objects",
        "num_objects",
        "identity_switches",
        "identity_chances",
        "identity_switch_rate",
    }
)
_TITLES: Final[Mapping[str, str]] = {
    "AR10_class_agnostic": "AR10",
    "label_accuracy": "right label",
    "num_matched_objects": "matched",
    "num_objects": "objects",
    "num_classes": "classes",
    "identity_switches": "id switches",
    "identity_chances": "of",
    "identity_switch_rate": "switch rate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A formatted table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def score_tables(section: ScoreSection) -> tuple[Table, ...]:
    """Return the tables of a section: one row per group, fractions in percent, "-" for missing values.

    Class-agnostic metrics get a separate table, because a single one would be too wide.
    """
    names = [name for name in next(iter(section.groups.values())) if _has_values(name, section=section)]
    by_class = [name for name in names if name not in _OF_OBJECTS]
    of_objects = [name for name in names if name in _OF_OBJECTS]
    tables = [_table(section, names=by_class, title=section.evaluator)]
    if of_objects:
        tables.append(_table(section, names=of_objects, title="objects of any class"))
    return tuple(tables)


def shown(name: str, value: float | None) -> str:
    """Format one metric for a table."""
    if value is None:
        return "-"
    return f"{value:.0f}" if name in _COUNTS else f"{100 * value:.1f}"


def metrics_json(sections: Sequence[ScoreSection], *, about: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the content of metrics.json: "metrics" of the first section, other sections by name."""
    first, *others = sections
    return {
        "version": _VERSION,
        **about,
        "evaluator": first.evaluator,
        "unit": "fractions; null where there is nothing to measure",
        "metrics": dict(first.groups),
        "other_evaluators": {
            section.name: {"evaluator": section.evaluator, "metrics": dict(section.groups)}
            for section in others
        },
        "per_category": [
            {
                "category_id": category.category_id,
                "name": category.name,
                "num_objects": category.num_objects,
                **category.metrics,
            }
            for category in first.categories
        ],
    }


def write_metrics(folder: Path, content: Mapping[str, JsonValue]) -> Path:
    """Write metrics.json. Raises ResourceError if the disk is full or not writable."""
    path = folder / METRICS_NAME
    write_text_atomic(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return path


def _table(section: ScoreSection, *, names: Sequence[str], title: str) -> Table:
    return Table(
        title=title,
        columns=("", *(_TITLES.get(name, name) for name in names)),
        rows=tuple(
            (group, *(shown(name, metrics.get(name)) for name in names))
            for group, metrics in section.groups.items()
        ),
    )


def _has_values(name: str, *, section: ScoreSection) -> bool:
    """Return whether any group has a value of a metric; columns without values are not shown."""
    return any(metrics.get(name) is not None for metrics in section.groups.values())
