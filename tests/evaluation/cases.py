"""Finds the cases of a folder made of official numbers, whatever its form, and computes ours."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.evaluation.broken import broken_files, is_malformed_folder, outcome_of
from tests.evaluation.comparison import Number, compare
from tests.evaluation.figures import dataset_figures, quirk_figures
from tests.evaluation.figures_burst import burst_figures, burst_folder_figures

_RESULT_KEYS = ("metrics_per_evaluator", "official", "variant_hota_with_mask_iou_not_official")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One problem with the official numbers; `remark` tells what official code cannot do."""

    name: str
    numbers: tuple[Number, ...]
    remark: str = ""


def cases_of(folder: Path) -> Iterator[Case]:
    """The cases in a folder and in those below it, by name."""
    if (folder / "expected.json").is_file():
        yield _folder_case(folder)
        return
    if is_malformed_folder(folder):
        yield from malformed_cases(folder)
        return
    for path in sorted(folder.glob("*.json")):
        content = _read(path)
        if isinstance(content, dict) and "cases" in content:
            for index, case in enumerate(content["cases"]):
                yield _case(f"{path.stem}[{index}]", expected=case, case=case)
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from cases_of(below)


def malformed_cases(folder: Path) -> Iterator[Case]:
    """The verdict on each broken file, in words; numbers only where the file is tolerated."""
    for broken in broken_files(folder):
        outcome = outcome_of(broken)
        told = outcome.error or "; ".join(outcome.warnings) or "read without a word"
        numbers = (
            tuple(compare(broken.metrics, outcome.metrics)) if broken.metrics and not outcome.error else ()
        )
        verdict = Number(name="verdict", expected=1, ours=float(outcome.fits(broken.expected)))
        yield Case(name=broken.name, numbers=(verdict, *numbers), remark=f"{broken.expected}: {told}")


def _folder_case(folder: Path) -> Case:
    expected = _read(folder / "expected.json")
    if "fixture" in expected:
        fixture = expected["fixture"]
        ours = (
            burst_folder_figures(folder) if fixture == "burst" else dataset_figures(folder, fixture=fixture)
        )
        return Case(name=folder.name, numbers=tuple(compare(expected, ours)))
    case = {"ground_truth": _read(folder / "ground_truth.json")}
    for name in ("predictions", "predictions_burst"):
        if (folder / f"{name}.json").is_file():
            case[name] = _read(folder / f"{name}.json")
    return _case(folder.name, expected=expected, case=case)


def _case(name: str, *, expected: dict[str, Any], case: dict[str, Any]) -> Case:
    wanted = {key: expected[key] for key in _RESULT_KEYS if key in expected}
    failing = []
    if "metrics_per_evaluator" in wanted:
        evaluators = wanted["metrics_per_evaluator"]
        failing = [
            f"{key}: {value['fails_with']}" for key, value in evaluators.items() if "fails_with" in value
        ]
        kept = {key: value for key, value in evaluators.items() if "fails_with" not in value}
        wanted["metrics_per_evaluator"] = kept
        ours = quirk_figures(case["ground_truth"], case["predictions"], evaluators=list(kept))
    else:
        failing = [value["fails_with"] for value in wanted.values() if "fails_with" in value]
        wanted = {key: value for key, value in wanted.items() if "fails_with" not in value}
        ours = burst_figures(case["ground_truth"], case["predictions_burst"])
    remark = "the official code stops: " + "; ".join(failing) if failing else ""
    return Case(name=name, numbers=tuple(compare(wanted, ours)), remark=remark)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
