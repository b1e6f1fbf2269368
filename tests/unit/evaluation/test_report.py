"""Figures as tables and as JSON."""

import json
from pathlib import Path

import pytest

from ovvis_cli.evaluation.report import metrics_json, score_tables, shown, write_metrics
from ovvis_cli.evaluation.scoring import CategoryScores, ScoreSection

SECTION = ScoreSection(
    name="official",
    evaluator="some evaluator",
    groups={
        "all": {"AP": 0.12345, "APl": None, "num_classes": 3, "label_accuracy": 0.5},
        "novel": {"AP": None, "APl": None, "num_classes": 0, "label_accuracy": None},
    },
    categories=(CategoryScores(category_id=7, name="kite", num_objects=2, metrics={"AP": 0.25}),),
)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("AP", 0.12345, "12.3"), ("AP", None, "-"), ("AP", 1.0, "100.0"), ("identity_switches", 3, "3")],
)
def test_fractions_are_shown_in_percent_and_counts_as_they_are(
    name: str, value: float | None, text: str
) -> None:
    assert shown(name, value) == text


def test_tables_leave_out_what_nothing_is_known_of() -> None:
    by_class, of_objects = score_tables(SECTION)
    assert by_class.title == "some evaluator"
    assert by_class.columns == ("", "AP", "classes")
    assert by_class.rows == (("all", "12.3", "3"), ("novel", "-", "0"))
    assert of_objects.columns == ("", "right label")
    assert of_objects.rows == (("all", "50.0"), ("novel", "-"))


def test_everything_is_in_the_file(tmp_path: Path) -> None:
    other = ScoreSection(name="sound", evaluator="another", groups={"all": {"AP": 0.5}})
    content = metrics_json([SECTION, other], about={"data_set": "diorama"})
    path = write_metrics(tmp_path, content)
    read = json.loads(path.read_text())
    assert read["data_set"] == "diorama"
    assert read["metrics"]["all"]["AP"] == 0.12345
    assert read["metrics"]["novel"]["AP"] is None
    assert read["other_evaluators"] == {"sound": {"evaluator": "another", "metrics": {"all": {"AP": 0.5}}}}
    assert read["per_category"] == [{"category_id": 7, "name": "kite", "num_objects": 2, "AP": 0.25}]
