"""`ovvis export`: export existing records to other formats, without analysing the videos again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.commands.options import JsonOption, OverwriteOption, QuietOption, parse_formats
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.errors import UsageError
from ovvis_cli.exporters import DEFAULT_NAMES, ExportFormat

if TYPE_CHECKING:
    from ovvis_cli.record.reader import Record


def export(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RECORD",
            help="Result folder of `ovvis segment`, or a folder of them.",
            show_default=False,
        ),
    ],
    *,
    formats: Annotated[
        str,
        typer.Option("--format", "-f", metavar="A,B,...", help=f"One or more of {', '.join(DEFAULT_NAMES)}."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File or folder to write. Default: beside the record."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--source", help="Path of the video if it was moved; for overlay and report."),
    ] = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Export an overlay video, a report, COCO, YouTube-VIS or other files from earlier results."""
    from ovvis_cli.exporters.progress import write_paths
    from ovvis_cli.exporters.report.index_page import write_index
    from ovvis_cli.record.folders import open_records

    console = Console(quiet=quiet, json=json)
    names = parse_formats(formats, option="--format")
    records = open_records(results)
    is_folder_of_records = records[0].folder != results
    if is_folder_of_records and (output is not None or source is not None):
        option = "--output" if output is not None else "--source"
        raise UsageError(f"{option} is for one record, but {results} is a folder of them")
    written: list[dict[str, JsonValue]] = []
    for record in records:
        paths = _export(
            record, names=names, output=output, source=source, overwrite=overwrite, console=console
        )
        write_paths(console, paths)
        files: dict[str, JsonValue] = {name: str(path) for name, path in paths.items()}
        written.append({"record": str(record.folder), "files": files})
    if not is_folder_of_records:
        console.emit(written[0])
        return
    index = write_index(results) if "report" in names else None
    if index is not None:
        console.write(str(index))
    console.emit({"records": written, "index": None if index is None else str(index)})


def _export(
    record: "Record",
    *,
    names: tuple[ExportFormat, ...],
    output: Path | None,
    source: Path | None,
    overwrite: bool,
    console: Console,
) -> dict[ExportFormat, Path]:
    """Write the formats of one record and return their files."""
    from ovvis_cli.exporters.export import ensure_exports, export_one
    from ovvis_cli.exporters.progress import video_progress
    from ovvis_cli.vocabulary.known_words import vocabulary_warnings

    header = record.header
    for warning in vocabulary_warnings(header.vocabulary.names, model_name=header.model.name):
        console.warning(warning)
    with video_progress(console, record=record, formats=names) as progress:
        if output is None:
            _, paths = ensure_exports(record, names, remake=True, source=source, video_progress=progress)
            return paths
        paths = _targets(record, names=names, output=output, overwrite=overwrite)
        for name, path in paths.items():
            export_one(record, name, output=path, source=source, video_progress=progress)
    return paths


def _targets(
    record: "Record", *, names: tuple[ExportFormat, ...], output: Path, overwrite: bool
) -> dict[ExportFormat, Path]:
    """Return the path of each format: `output` for one format, default names in that folder for several."""
    into_folder = len(names) > 1 or output.is_dir()
    paths = {name: output / DEFAULT_NAMES[name] if into_folder else output for name in names}
    for path in paths.values():
        if path.exists() and not overwrite:
            raise UsageError(f"{path} already exists", hint="add --overwrite to replace it")
        if path.resolve() == Path(record.header.source.path).resolve():
            raise UsageError(f"{path} is the video itself", hint="choose another --output")
    return paths
