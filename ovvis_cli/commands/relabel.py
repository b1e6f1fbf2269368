"""`ovvis relabel`: new labels for the tracks of a record, without running the networks."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.commands.options import (
    ClassesFileOption,
    ClassesOption,
    JsonOption,
    MaxTracksOption,
    ModelOption,
    NoDistractorsOption,
    QuietOption,
    TextEmbeddingsOption,
    VocabularyOption,
    parse_formats,
)
from ovvis_cli.console import Console, JsonValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ovvis_cli.exporters import ExportFormat
    from ovvis_cli.record.reader import Record


def relabel(  # noqa: PLR0913  each option is a parameter
    record: Annotated[Path, typer.Argument(help="Result folder of `ovvis segment`.", show_default=False)],
    *,
    classes: ClassesOption = None,
    classes_file: ClassesFileOption = None,
    vocabulary: VocabularyOption = None,
    text_embeddings: TextEmbeddingsOption = None,
    no_distractors: NoDistractorsOption = False,
    score_threshold: Annotated[
        float | None,
        typer.Option(
            "--score-threshold",
            min=0.0,
            max=1.0,
            help="Minimum score of a labelled track. Default: as before.",
        ),
    ] = None,
    max_tracks: MaxTracksOption = None,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="A,B,...", help="Formats to export. Default: those exported before."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--source", help="Path of the video if it was moved; for overlay and report."),
    ] = None,
    model: ModelOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Give the tracks of an earlier result new labels and export its files again."""
    from ovvis_cli.exporters.export import ensure_exports, saved_formats
    from ovvis_cli.exporters.progress import video_progress
    from ovvis_cli.exporters.report.index_page import update_index
    from ovvis_cli.labelling.class_query import make_query
    from ovvis_cli.labelling.class_rows import read_text_embeddings
    from ovvis_cli.labelling.record_model import load_record_model
    from ovvis_cli.labelling.relabel import relabel as relabel_record
    from ovvis_cli.record.reader import Record
    from ovvis_cli.vocabulary.names import resolve_vocabulary

    console = Console(quiet=quiet, json=json)
    formats = None if save is None else parse_formats(save, option="--save")
    asked = resolve_vocabulary(classes=classes, classes_file=classes_file, table=vocabulary)
    opened = Record.open(record)
    before = opened.header.vocabulary
    with console.text_progress() as progress:
        query = make_query(
            load_record_model(opened.header, name_or_path=model),
            asked,
            distractors=not no_distractors,
            score_threshold=before.score_threshold if score_threshold is None else score_threshold,
            max_tracks=before.max_tracks if max_tracks is None else max_tracks,
            text_embeddings=None if text_embeddings is None else read_text_embeddings(text_embeddings),
            progress=progress,
        )
    relabelled = relabel_record(opened, query)
    if formats is not None:  # other formats are neither exported again nor listed in the record
        relabelled = relabelled.with_header(replace(relabelled.header, saved=()))
    formats = saved_formats(relabelled) if formats is None else formats
    with video_progress(console, record=relabelled, formats=formats) as progress:
        relabelled, paths = ensure_exports(relabelled, formats, source=source, video_progress=progress)
    if "report" in paths:
        update_index(record.parent)
    _show(console, record=relabelled, paths=paths)


def _show(console: Console, *, record: "Record", paths: "Mapping[ExportFormat, Path]") -> None:
    from ovvis_cli.exporters.progress import write_paths
    from ovvis_cli.exporters.summary import absent_text, summary_json, summary_rows, summary_table

    columns, rows = summary_table(record.header)
    colors = [row.color for row in summary_rows(record.header)]
    console.table(columns, rows, colors=colors)
    absent = absent_text(record.header)
    if absent is not None:
        console.note(absent)
    write_paths(console, paths)
    files: dict[str, JsonValue] = {name: str(path) for name, path in paths.items()}
    console.emit({"record": str(record.folder), "files": files, **summary_json(record.header)})
