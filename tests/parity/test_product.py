"""Fixtures through the product: import the authors' file, evaluate by the paper's rules, compare results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovvis_cli.evaluation.predictions import read_predictions
from tests.parity.check_product import check_product, class_names, compare_results
from tests.parity.fixture import Fixture, read_fixture

pytestmark = pytest.mark.parity

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/case.json"))
VIDEOS = [path for path in FOLDERS if "mask2former" not in path.name]  # which is an image model


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(path, id=path.name, marks=[] if "minvis" in path.name else [pytest.mark.slow])
        for path in VIDEOS
    ],
)
def test_published_results_are_reproduced(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVVIS_HOME", str(tmp_path / "home"))
    fixture = read_fixture(folder)
    assert all(verdict.passed for verdict in check_product(fixture, tmp_path))
    if "minvis" in folder.name:  # the comparison itself can fail
        predictions = read_predictions(tmp_path / "out" / "videos" / "1.json")
        wrong = replace(fixture, arrays=fixture.arrays | {"scores": fixture.arrays["scores"] + 0.01})
        assert _short(wrong, predictions) == ["scores"]
        flipped = replace(fixture, arrays=fixture.arrays | {"masks": ~fixture.arrays["masks"]})
        assert _short(flipped, predictions) == ["masks"]
        others = replace(fixture, arrays=fixture.arrays | {"labels": fixture.arrays["labels"][::-1]})
        assert _short(others, predictions) == ["pairs"]


def _short(fixture: Fixture, predictions: object) -> list[str]:
    verdicts = compare_results(fixture, predictions, num_listed=len(fixture.arrays["scores"]))  # type: ignore[arg-type]
    return [verdict.name for verdict in verdicts if not verdict.passed]


def test_categories_have_the_names_of_the_fixture() -> None:
    fixture = read_fixture(Path(__file__).parent / "clipvis-r50")
    assert len(class_names(fixture)) == fixture.case["model"]["classes"]
    assert np.unique(fixture.arrays["labels"]).max() < len(class_names(fixture))
