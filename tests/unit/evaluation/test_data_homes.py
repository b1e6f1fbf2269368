"""Data sets are found at home, without `--data`; what is not found is told in one message."""

import json
from pathlib import Path
from typing import Any

import pytest

from ovvis_cli.app import run
from ovvis_cli.choices import DATA_SET_NAMES, DataSetName
from ovvis_cli.data.catalog import DATA_SETS
from ovvis_cli.data.homes import data_homes, find_data_sets, locate_data_set
from ovvis_cli.errors import AnnotationError
from tests.evaluation.building import annotation, box_masks, document, video_entry, write_data_set


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and an empty data folder of the system."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("OVVIS_DATA", raising=False)
    monkeypatch.setenv("OVVIS_HOME", str(tmp_path / "system"))
    return tmp_path


def make(folder: Path, name: DataSetName, *, split: str = "val") -> Path:
    """Empty files where those of a split are expected."""
    spec = DATA_SETS[name]
    spelled = spec.split_names[split][0]  # type: ignore[index]
    annotations = folder / spec.annotations[0].format(split=spelled)
    annotations.parent.mkdir(parents=True, exist_ok=True)
    annotations.write_text("{}")
    (folder / spec.frames[0].format(split=spelled)).mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", DATA_SET_NAMES)
def test_every_data_set_is_found_in_every_home_and_the_first_home_counts(
    home: Path, name: DataSetName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVVIS_DATA", str(home / "chosen"))
    homes = data_homes(system_folder=home / "system" / "datasets")
    assert homes == (home / "chosen", Path("datasets"), home / "system" / "datasets")
    for place in reversed(homes):  # the best place comes last
        folder = make(place / name, name)
        found = locate_data_set(DATA_SETS[name], split="val", homes=homes)
        assert found.annotations is not None
        assert folder in found.annotations.parents
        assert folder in found.frames.parents or folder == found.frames.parent


@pytest.mark.parametrize("name", DATA_SET_NAMES)
def test_a_data_set_may_have_its_usual_folder_name(home: Path, name: DataSetName) -> None:
    folder = make(home / DATA_SETS[name].folders[-1], name)
    assert locate_data_set(DATA_SETS[name], split="val", homes=[home]).frames.is_relative_to(folder)


@pytest.mark.parametrize("name", DATA_SET_NAMES)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_not_found_is_told_in_one_message(
    home: Path, name: DataSetName, check: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "--dataset", name, *(["--check"] if check else [])]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    spec = DATA_SETS[name]
    for part in (
        f"datasets/{name}",
        str(home / "system" / "datasets" / name),
        spec.annotations[0].format(split=spec.split_names["val"][0]),
        spec.frames[0].format(split=spec.split_names["val"][0]),
        "docs/evaluation.md",
        "--data",
        spec.page,
    ):
        assert part in line


def test_of_an_incomplete_folder_it_is_told_what_is_missing(home: Path) -> None:
    (home / "burst").mkdir()
    with pytest.raises(AnnotationError, match=r"burst: no annotation file of BURST, split val"):
        locate_data_set(DATA_SETS["burst"], split="val", homes=[home])
    make(home / "second" / "burst", "burst")  # a later home that has it all counts more
    assert locate_data_set(DATA_SETS["burst"], split="val", homes=[home, home / "second"]).annotations


def test_a_data_set_at_home_is_checked_and_scored_without_naming_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = box_masks([(2, 2, 8, 8)] * 2)
    content: dict[str, Any] = document(
        [video_entry(1, num_frames=2)], [annotation(1, video_id=1, category_id=1, masks=masks)]
    )
    write_data_set(Path("datasets") / "diorama", content)
    (home / "results.json").write_text("[]")
    scored = ["evaluate", "--dataset", "diorama", "--predictions", str(home / "results.json"), "--json", "-q"]
    assert run(scored) == 0
    assert json.loads(capsys.readouterr().out)["num_objects"] == 1
    run(["evaluate", "--dataset", "diorama", "--check", "--json", "-q"])
    assert "findings" in json.loads(capsys.readouterr().out)


def test_the_list_shows_what_is_found_and_its_splits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(Path("datasets") / "burst", "burst")
    make(Path("datasets") / "burst", "burst", split="train")
    assert run(["evaluate", "--list", "--json", "--quiet"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["data_sets"]}
    assert list(listed) == list(DATA_SET_NAMES)
    assert listed["burst"]["folder"] == "datasets/burst"
    assert listed["burst"]["found_splits"] == ["train", "val"]
    assert listed["ovis"]["folder"] is None
    assert listed["ovis"]["splits"] == ["train", "val", "test"]
    assert run(["evaluate", "--list"]) == 0
    assert "train, val" in capsys.readouterr().out
    assert [found.spec.name for found in find_data_sets([home / "elsewhere"]) if found.folder] == []
