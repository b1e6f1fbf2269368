"""`ovvis find`: search the tracks of many records for names, without analysing any video again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.commands.options import (
    ClassesFileOption,
    ClassesOption,
    JsonOption,
    ModelOption,
    NoDistractorsOption,
    OverwriteOption,
    QuietOption,
    VocabularyOption,
)
from ovvis_cli.console import Console
from ovvis_cli.errors import UsageError

if TYPE_CHECKING:
    from ovvis_cli.search.find import Findings


def find(  # noqa: PLR0913  each option is a parameter
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS", help="Folders with results of `ovvis segment`.", show_default=False
        ),
    ],
    *,
    classes: ClassesOption = None,
    classes_file: ClassesFileOption = None,
    vocabulary: VocabularyOption = None,
    no_distractors: NoDistractorsOption = False,
    score_threshold: Annotated[
        float, typer.Option("--score-threshold", min=0.0, max=1.0, help="Minimum score of a track.")
    ] = 0.1,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most the best N tracks.")] = 20,
    model: ModelOption = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write the tracks found as an HTML page."),
    ] = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Find tracks by name in the results of many videos, in seconds and without analysing them again."""
    from ovvis_cli.search.find import find as search
    from ovvis_cli.vocabulary.names import resolve_vocabulary

    console = Console(quiet=quiet, json=json)
    names = resolve_vocabulary(classes=classes, classes_file=classes_file, table=vocabulary)
    if report is not None and report.exists() and not overwrite:
        raise UsageError(f"{report} already exists", hint="add --overwrite to replace it")
    with console.progress("reading records", total=None, unit="records") as progress:
        findings = search(
            results,
            names,
            distractors=not no_distractors,
            score_threshold=score_threshold,
            limit=limit,
            model=model,
            on_record=lambda done, total: progress.update(done, total=total),
        )
    for message in (*findings.left_out, *findings.warnings):
        console.warning(message)
    if report is not None:
        from ovvis_cli.search.page import write_find_page

        write_find_page(report, hits=findings.hits, names=names.names, num_tracks=findings.num_tracks)
    _show(findings, threshold=score_threshold, report=report, console=console)


def _show(findings: "Findings", *, threshold: float, report: Path | None, console: Console) -> None:
    from ovvis_cli.exporters.colors import track_color
    from ovvis_cli.exporters.summary import clock

    rows = [
        [
            f"{hit.score:.2f}",
            hit.name,
            str(hit.record),
            f"#{hit.track_id}",
            clock(hit.first_time_s),
            clock(hit.last_time_s),
            str(hit.num_frames),
        ]
        for hit in findings.hits
    ]
    if rows:
        columns = ("score", "name", "record", "track", "from", "to", "frames")
        console.table(columns, rows, colors=[track_color(hit.track_id) for hit in findings.hits])
    else:
        console.write(f"no track reaches score {threshold:g} (best {findings.best_score:.2f})")
    if report is not None:
        console.write(str(report))
    console.note(
        f"searched in {findings.search_s:.2f} s, after {findings.open_s:.2f} s to open the index:"
        f" records {findings.num_records}, tracks {findings.num_tracks}"
    )
    console.emit(
        {
            "tracks": [
                {
                    "score": hit.score,
                    "name": hit.name,
                    "record": str(hit.record),
                    "video": hit.video,
                    "track": hit.track_id,
                    "first_time": hit.first_time_s,
                    "last_time": hit.last_time_s,
                    "num_frames": hit.num_frames,
                }
                for hit in findings.hits
            ],
            "num_tracks": findings.num_tracks,
            "num_records": findings.num_records,
            "best_score": findings.best_score,
            "left_out": list(findings.left_out),
            "open_s": round(findings.open_s, 3),
            "search_s": round(findings.search_s, 3),
            "report": None if report is None else str(report),
        }
    )
