"""Category ids that are off by one are told, whether or not an id 0 gives them away."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ovvis_cli.app import run
from ovvis_cli.evaluation.shifted_ids import warn_shifted_categories
from tests.evaluation.building import annotation, box_masks, prediction, read, video_entry

BOXES = [(2, 2, 8, 8), (14, 2, 8, 8), (2, 13, 8, 8)]
FIXTURES = Path(__file__).parents[2] / "evaluation" / "fixtures"


def _document(category_ids: Sequence[int]) -> dict[str, Any]:
    categories = [{"id": number, "name": f"kind {number}"} for number in range(1, 9)]
    objects = [
        annotation(number, video_id=1, category_id=category_id, masks=box_masks([box] * 2))
        for number, (category_id, box) in enumerate(zip(category_ids, BOXES, strict=True), start=1)
    ]
    return {"videos": [video_entry(1, num_frames=2)], "categories": categories, "annotations": objects}


def _entries(category_ids: Sequence[int]) -> list[dict[str, Any]]:
    return [
        prediction(video_id=1, category_id=category_id, score=0.9, masks=box_masks([box] * 2))
        for category_id, box in zip(category_ids, BOXES, strict=True)
    ]


@pytest.mark.parametrize(
    ("predicted", "told"),
    [
        ([2, 4, 6], "of 3 objects that a track covers, 3 have a category_id that is 1 too low"),
        ([4, 6, 8], "of 3 objects that a track covers, 3 have a category_id that is 1 too high"),
        ([2, 4, 1], "of 3 objects that a track covers, 2 have a category_id that is 1 too low"),
        ([3, 5, 7], None),  # right
        ([2, 5, 8], None),  # one each way
        ([5, 7, 1], None),  # wrong, but not shifted
        ([2, 7, 5], None),  # one of three is no pattern
    ],
)
def test_ids_that_are_off_by_one(
    predicted: list[int], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    truth, tracks = read(_document([3, 5, 7]), _entries(predicted))
    warn_shifted_categories(truth, tracks, ap=0.0, path=Path("results.json"))
    messages = [entry.getMessage() for entry in caplog.records]
    assert messages == ([] if told is None else [f"results.json: {told}: the ids look shifted by one"])


def test_no_look_is_taken_where_ap_is_not_near_zero(caplog: pytest.LogCaptureFixture) -> None:
    truth, tracks = read(_document([3, 5, 7]), _entries([2, 4, 6]))
    for ap in (None, 0.2):
        warn_shifted_categories(truth, tracks, ap=ap, path=Path("results.json"))
    assert caplog.records == []


def test_the_command_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    (tmp_path / "truth.json").write_text(json.dumps(_document([3, 5, 7])))
    (tmp_path / "results.json").write_text(json.dumps(_entries([2, 4, 6])))
    files = ["--annotations", str(tmp_path / "truth.json"), "--predictions", str(tmp_path / "results.json")]
    assert run(["evaluate", *files]) == 0
    assert "the ids look shifted by one" in capsys.readouterr().err


@pytest.mark.parametrize("data_set", ["ytvis2019", "ovis", "lvvis", "burst", "uvo"])
def test_sound_results_are_not_suspected(data_set: str, caplog: pytest.LogCaptureFixture) -> None:
    truth, results = FIXTURES / data_set / "ground_truth.json", FIXTURES / data_set / "predictions.json"
    with caplog.at_level(logging.WARNING):
        assert run(["evaluate", "--annotations", str(truth), "--predictions", str(results), "--quiet"]) == 0
    assert "shifted" not in caplog.text
