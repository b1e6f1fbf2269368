"""What `ovvis segment` and `ovvis batch retry` show of each video, and at the end."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ovvis_cli import __version__
from ovvis_cli.batch.addresses import is_storage
from ovvis_cli.batch.many_inputs import Done, Failed, raise_failures
from ovvis_cli.batch.one_video import VideoRun
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.errors import exit_code_of
from ovvis_cli.exporters.progress import write_paths
from ovvis_cli.exporters.summary import absent_text, summary_json, summary_rows, summary_table


def conclude(
    failures: Sequence[Failed],
    described: Sequence[dict[str, JsonValue]],
    *,
    num_inputs: int,
    console: Console,
) -> None:
    """Show all failures, print the JSON object, and raise the error that sets the exit code.

    Raises:
        OvvisError: any of the inputs failed.
    """
    if failures and num_inputs > 1:
        rows = [(str(failure.source.location), str(failure.error)) for failure in failures]
        console.table(("failed", "error"), rows)
    console.emit({"ovvis": __version__, "inputs": described})
    raise_failures(failures, num_inputs=num_inputs)


def show(outcome: Done[VideoRun] | Failed, *, console: Console, is_only: bool) -> None:
    """Show the tracks and files of a video, or why it failed."""
    if isinstance(outcome, Failed):
        if not is_only:  # for a single input, the command ends with its error
            console.error(outcome.error)
        return
    run, source = outcome.result, outcome.source
    header = run.header
    if header.source.damage is not None:
        console.warning(f"{source.location}: {header.source.damage}")
    columns, rows = summary_table(header)
    title = (
        f"{source.location}: {_count(len(rows), 'track')} in {_count(header.analysed.num_frames, 'frame')}"
    )
    console.table(columns, rows, title=title, colors=[row.color for row in summary_rows(header)])
    absent = absent_text(header)
    if absent is not None:
        console.write(absent)
    if is_storage(run.folder):
        for path in run.files.values():
            console.write(path)
    else:
        write_paths(console, {name: Path(path) for name, path in run.files.items()})
    console.note(_effort(run, elapsed_s=outcome.elapsed_s))
    if is_only and not is_storage(run.folder):
        console.note(f"next: ovvis export {shlex.quote(run.folder)} --format report, a page for the browser")


def _effort(run: VideoRun, *, elapsed_s: float) -> str:
    if run.num_analysed == 0:
        return "already analysed; add --overwrite to analyse it again"
    rate = run.num_analysed / run.analysis_s if run.analysis_s > 0 else 0.0
    return (
        f"{_count(run.num_analysed, 'frame')} at {rate:.1f} frames/s:"
        f" analysis {run.analysis_s:.1f} s, labels and files {run.export_s:.1f} s, {elapsed_s:.1f} s in total"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def as_json(outcome: Done[VideoRun] | Failed) -> dict[str, JsonValue]:
    """Return the entry of a video in the JSON object."""
    named: dict[str, JsonValue] = {"input": str(outcome.source.location), "name": outcome.source.name}
    if isinstance(outcome, Failed):
        error = outcome.error
        details: dict[str, JsonValue] = {
            "message": error.message,
            "hint": error.hint,
            "exit_code": exit_code_of(error),
        }
        return named | {"status": "failed", "error": details}
    run = outcome.result
    return named | {
        "status": "done" if run.num_analysed else "already done",
        "record": run.folder,
        "files": {str(name): path for name, path in run.files.items()},
        "num_frames": run.header.analysed.num_frames,
        "damage": run.header.source.damage,
        "elapsed_s": round(outcome.elapsed_s, 3),
        **summary_json(run.header),
    }
