"""The broken files of `malformed`: what should be said about each, and what we say."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ovvis_cli.errors import AnnotationError
from ovvis_cli.evaluation.session import ScoringRequest, score_files

Verdict = Literal["error", "tolerated", "either"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFile:
    """One broken file, and the sound one that it is read with."""

    name: str
    expected: Verdict
    wanted_message: str
    annotations: Path
    predictions: Path
    metrics: dict[str, Any]  # of the official code where it runs and the file is to be tolerated


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of reading and scoring."""

    error: str = ""
    warnings: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)

    def fits(self, expected: Verdict) -> bool:
        """Whether that is what the index asks for."""
        return expected == "either" or bool(self.error) == (expected == "error")


def is_malformed_folder(folder: Path) -> bool:
    """Whether a folder has an index of broken files."""
    index = folder / "index.json"
    return index.is_file() and "intact_files" in json.loads(index.read_text(encoding="utf-8"))


def broken_files(folder: Path) -> list[BrokenFile]:
    """The files of the index, in its order."""
    listed = json.loads((folder / "index.json").read_text(encoding="utf-8"))["files"]
    return [_broken_file(folder, entry) for entry in listed]


def outcome_of(broken: BrokenFile) -> Outcome:
    """Reads and scores; an exception that is no AnnotationError goes through."""
    request = ScoringRequest(
        annotations=broken.annotations,
        predictions=broken.predictions,
        data_set=None,
        limit=None,
        lenient=False,
    )
    with _warnings() as warnings:
        try:
            scored = score_files(request)
        except AnnotationError as error:
            return Outcome(error=str(error), warnings=tuple(warnings))
    groups = scored.sections[0].groups
    metrics: dict[str, Any] = dict(groups["all"])
    if "uncommon" in groups:
        metrics = {
            name: {group: 100 * (values[name] or 0.0) for group, values in groups.items()}
            for name in ("HOTA", "DetA", "AssA", "AP")
        }
    return Outcome(warnings=tuple(warnings), metrics=metrics)


def _broken_file(folder: Path, entry: dict[str, Any]) -> BrokenFile:
    path, partner = folder / entry["file"], folder / entry["use_with"]
    is_truth = entry["kind"] == "ground_truth"
    official = entry["official_evaluator"]
    runs = entry["expected"] == "tolerated"
    return BrokenFile(
        name=path.stem,
        expected=entry["expected"],
        wanted_message=entry["a_user_should_be_told"],
        annotations=path if is_truth else partner,
        predictions=partner if is_truth else path,
        metrics=(official.get("metrics") or official.get("table_percent") or {}) if runs else {},
    )


@contextmanager
def _warnings() -> Iterator[list[str]]:
    told: list[str] = []

    class _Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    collector = _Collector(level=logging.WARNING)
    logger = logging.getLogger("ovvis_cli")
    logger.addHandler(collector)
    try:
        yield told
    finally:
        logger.removeHandler(collector)
