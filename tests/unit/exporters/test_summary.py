"""What the console says of a record."""

from dataclasses import replace

import pytest

from ovvis_cli.exporters.colors import track_color
from ovvis_cli.exporters.summary import (
    absent_names,
    absent_text,
    clock,
    summary_json,
    summary_rows,
    summary_table,
)
from tests.records import BOARD, DOG, write_record


@pytest.fixture
def header(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not really")
    return write_record(tmp_path / "out", source=path).header


def test_rows_best_first(header):
    rows = summary_rows(header)
    assert [(row.track_id, row.label, row.score) for row in rows] == [
        (DOG, "dog", 0.7654),
        (BOARD, "skateboard", 0.5),
    ]
    assert rows[0].color == track_color(DOG)
    worse = replace(
        header, tracks=tuple(replace(t, score=0.1) if t.label == "dog" else t for t in header.tracks)
    )
    assert [row.track_id for row in summary_rows(worse)] == [BOARD, DOG]


def test_table(header):
    columns, rows = summary_table(header)
    assert rows[0] == ["#1", "dog", "0.77", "0:00.0", "0:00.2", "8", "cat 0.12"]
    assert all(len(row) == len(columns) for row in rows)


def test_absent_names_and_where_they_came_closest(header):
    (cat,) = absent_names(header)
    assert (cat.name, cat.best_score) == ("cat", 0.1235)
    assert absent_text(header) == "not found: cat (best 0.12)"
    found = replace(header, vocabulary=replace(header.vocabulary, names=("dog",), category_ids=(1,)))
    assert absent_text(found) is None


def test_many_absent_names_are_counted(header):
    names = tuple(f"thing {number}" for number in range(100))
    many = replace(header, vocabulary=replace(header.vocabulary, names=names, category_ids=tuple(range(100))))
    text = absent_text(many)
    assert text is not None
    assert text.endswith("thing 7 and 92 other names")


def test_json(header):
    value = summary_json(header)
    assert value["not_found"] == [{"name": "cat", "best_score": 0.1235}]
    assert value["tracks"][1]["first_time"] == 0.033333


@pytest.mark.parametrize(
    ("time_s", "text"), [(0, "0:00.0"), (59.96, "1:00.0"), (3599.94, "59:59.9"), (3661, "1:01:01.0")]
)
def test_clock(time_s, text):
    assert clock(time_s) == text
