"""`ovvis evaluate` as a command: the official figures of files, what it writes, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from ovvis_cli.app import run
from tests.evaluation.building import annotation, box_masks, document, prediction, video_entry, write_data_set

FIXTURES = Path(__file__).parents[2] / "evaluation" / "fixtures"
QUIRK = FIXTURES / "quirks" / "segmentation_lists_of_different_length_are_cut"


def _json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert run(["evaluate", *(str(argument) for argument in arguments), "--json", "--quiet"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def _files(folder: str, predictions: str = "predictions.json") -> tuple[str | Path, ...]:
    truth = FIXTURES / folder / "ground_truth.json"
    return "--annotations", truth, "--predictions", FIXTURES / folder / predictions


@pytest.mark.parametrize("data_set", ["ytvis2019", "ytvis2021", "ovis", "lvvis", "uvo"])
def test_figures_of_files_are_the_official_ones(data_set: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = _json(capsys, "--dataset", data_set, *_files(data_set))
    expected = json.loads((FIXTURES / data_set / "expected.json").read_text())["result"]
    wanted = {"all": expected["metrics"], **expected.get("metrics_by_split", {})}
    for group, metrics in wanted.items():
        for name, value in metrics.items():
            ours = content["metrics"][group][name]
            assert (-1.0 if ours is None else ours) == pytest.approx(value, abs=1e-9), (group, name)


def test_uvo_has_plain_ap_beside_the_class_agnostic_figures(capsys: pytest.CaptureFixture[str]) -> None:
    content = _json(capsys, "--dataset", "uvo", *_files("uvo"))
    expected = json.loads((FIXTURES / "uvo" / "expected.json").read_text())
    assert content["metrics"]["all"]["AP"] == pytest.approx(expected["result"]["metrics"]["AP"], abs=1e-9)
    plain = content["other_evaluators"]["by_class"]["metrics"]["all"]
    # The file has one class. So dropping other labels is all that counting labels changes.
    for name, value in expected["useCats_0_without_relabelling"]["metrics"].items():
        assert plain[name] == pytest.approx(value, abs=1e-9), name


def test_plain_ap_of_uvo_counts_wrong_labels_as_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _data_set(tmp_path)
    entries = json.loads((tmp_path / "results.json").read_text())
    entries[0]["category_id"] = 2
    (tmp_path / "results.json").write_text(json.dumps(entries))
    annotations = folder / "val" / "instances.json"
    content = _json(
        capsys, "--dataset", "uvo", "--annotations", annotations, "--predictions", tmp_path / "results.json"
    )
    assert content["metrics"]["all"]["AP"] == pytest.approx(1.0)
    # Class 1 is never found: 0. Class 2: the wrong one of two equal scores comes first: 0.5.
    assert content["other_evaluators"]["by_class"]["metrics"]["all"]["AP"] == pytest.approx(0.25)


def test_all_figures_of_burst_under_names_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    content = _json(capsys, *_files("burst", "predictions_burst.json"))
    expected = json.loads((FIXTURES / "burst" / "expected.json").read_text())
    table = expected["official"]["table_percent"]
    for figure, groups in table.items():
        for group, value in groups.items():
            assert 100 * content["metrics"][group][figure] == pytest.approx(value, abs=1e-9)
    assert set(content["other_evaluators"]) == {"sound_hota", "official_open_world", "papers_ap", "sound_ap"}
    papers = _json(capsys, *_files("burst"))["other_evaluators"]["papers_ap"]["metrics"]
    for group, metrics in expected["papers_ap"]["metrics_by_split"].items():
        assert papers[group]["AP"] == pytest.approx(metrics["AP"], abs=1e-9)


def test_lenient_reads_mistakes_as_the_official_code_does(capsys: pytest.CaptureFixture[str]) -> None:
    files = (
        "--annotations",
        QUIRK / "ground_truth.json",
        "--predictions",
        QUIRK / "predictions.json",
    )
    expected = json.loads((QUIRK / "expected.json").read_text())["metrics_per_evaluator"]["youtube_vis"]
    content = _json(capsys, *files, "--lenient")
    assert content["metrics"]["all"]["AP"] == pytest.approx(expected["AP"], abs=1e-9)
    assert run(["evaluate", *(str(argument) for argument in files)]) == 3
    assert "segmentations, video" in capsys.readouterr().err


def _data_set(tmp_path: Path) -> Path:
    videos = [video_entry(number, num_frames=3) for number in (1, 2)]
    boxes = [(2, 2, 8, 8)] * 3
    annotations = [
        annotation(number, video_id=number, category_id=number, masks=box_masks(boxes)) for number in (1, 2)
    ]
    entries = [
        prediction(video_id=number, category_id=number, score=0.5, masks=box_masks(boxes))
        for number in (1, 2)
    ]
    folder = write_data_set(tmp_path / "data", document(videos, annotations))
    (tmp_path / "results.json").write_text(json.dumps(entries))
    return folder


def test_the_diorama_is_found_scored_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _data_set(tmp_path)
    arguments = ["--dataset", "diorama", "--data", folder, "--predictions", tmp_path / "results.json"]
    output = tmp_path / "out"
    assert run(["evaluate", *(str(argument) for argument in arguments), "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "YouTube-VIS" in said and "novel" in said and "100.0" in said
    content = json.loads((output / "metrics.json").read_text())
    assert content["metrics"]["novel"]["AP"] == pytest.approx(1.0)
    assert content["metrics"]["all"]["identity_chances"] == 4
    assert [entry["name"] for entry in content["per_category"]] == ["dog", "kite"]
    limited = _json(capsys, *arguments, "--limit", "1")
    assert limited["num_videos"] == 1
    assert limited["metrics"]["novel"]["AP"] is None


def test_check_says_whether_files_are_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _data_set(tmp_path)
    arguments = ["evaluate", "--dataset", "diorama", "--data", str(folder), "--check"]
    assert run(arguments) == 0
    assert "complete" in capsys.readouterr().out
    (folder / "val" / "JPEGImages" / "v1" / "00001.jpg").unlink()
    assert run(arguments) == 3
    captured = capsys.readouterr()
    assert "video 1: 1 of 3 frames are missing" in captured.out
    assert "1 errors in the files" in captured.err


def test_private_ground_truth_is_packed_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _data_set(tmp_path)
    path = folder / "val" / "instances.json"
    content = json.loads(path.read_text())
    del content["annotations"]
    path.write_text(json.dumps(content))
    arguments = ["evaluate", "--dataset", "ovis", "--annotations", str(path)]
    arguments += ["--predictions", str(tmp_path / "results.json")]
    assert run(arguments) == 3
    assert "no public ground truth" in capsys.readouterr().err
    assert run([*arguments, "--output", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert "submission.zip" in captured.out
    assert "no metrics: the ground truth is private; submit to CodaLab competition 4763" in captured.err
    assert (tmp_path / "out" / "submission.zip").is_file()
    assert not (tmp_path / "out" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--dataset is missing"),
        (["--dataset", "diorama"], 3, "diorama was not found: looked for"),
        (["--dataset", "dioramas"], 2, "did you mean diorama?"),
        (["--dataset", "diorama", "--data", "nowhere"], 3, "nowhere is not a folder"),
        (["--annotations", "a.json", "--predictions", "b.json"], 3, "cannot read a.json"),
    ],
)
def test_what_is_not_possible_is_told_in_one_line(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", *arguments]) == code
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "\n" not in told
