"""The figures of an evaluation as people read them, and as programs do."""

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
    """Text, ready to be shown."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def score_tables(section: ScoreSection) -> tuple[Table, ...]:
    """A section's groups as rows; fractions in percent as papers print them, "-" where there is nothing.

    What is measured of objects, whatever their class, has a table of its own: one would be too wide.
    """
    names = [name for name in next(iter(section.groups.values())) if _is_told(name, section=section)]
    by_class = [name for name in names if name not in _OF_OBJECTS]
    of_objects = [name for name in names if name in _OF_OBJECTS]
    tables = [_table(section, names=by_class, title=section.evaluator)]
    if of_objects:
        tables.append(_table(section, names=of_objects, title="objects, whatever their class"))
    return tuple(tables)


def shown(name: str, value: float | None) -> str:
    """One figure for a table."""
    if value is None:
        return "-"
    return f"{value:.0f}" if name in _COUNTS else f"{100 * value:.1f}"


def metrics_json(sections: Sequence[ScoreSection], *, about: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Everything that is known: the first section's figures as "metrics", those of others by their names."""
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
    """Writes metrics.json. Raises ResourceError when the disk is full or not writable."""
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


def _is_told(name: str, *, section: ScoreSection) -> bool:
    """Columns without any figure, such as sizes that do not occur, only make a table wide."""
    return any(metrics.get(name) is not None for metrics in section.groups.values())
