"""`ovvis export`: export an existing record to other formats, without analysing the video again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.commands.options import JsonOption, OverwriteOption, QuietOption, parse_formats
from ovvis_cli.console import Console
from ovvis_cli.errors import UsageError
from ovvis_cli.exporters import DEFAULT_NAMES, ExportFormat

if TYPE_CHECKING:
    from ovvis_cli.record.reader import Record


def export(
    record: Annotated[Path, typer.Argument(help="Result folder of `ovvis segment`.", show_default=False)],
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
        typer.Option("--source", help="Path of the video if it was moved; for the overlay."),
    ] = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Export an overlay video, COCO, YouTube-VIS or other files from an earlier result."""
    from ovvis_cli.exporters.export import ensure_exports, export_one
    from ovvis_cli.record.reader import Record
    from ovvis_cli.vocabulary.known_words import vocabulary_warnings

    console = Console(quiet=quiet, json=json)
    names = parse_formats(formats, option="--format")
    opened = Record.open(record)
    header = opened.header
    for warning in vocabulary_warnings(header.vocabulary.names, model_name=header.model.name):
        console.warning(warning)
    with overlay_progress(console, record=opened, formats=names) as progress:
        if output is None:
            _, paths = ensure_exports(opened, names, remake=True, source=source, overlay_progress=progress)
        else:
            paths = _targets(opened, names=names, output=output, overwrite=overwrite)
            for name, path in paths.items():
                export_one(opened, name, output=path, source=source, overlay_progress=progress)
    for path in paths.values():
        console.write(str(path))
    console.emit({"record": str(record), "files": {name: str(path) for name, path in paths.items()}})


@contextmanager
def overlay_progress(
    console: Console, *, record: "Record", formats: Sequence[ExportFormat]
) -> Iterator[Callable[[int], None] | None]:
    """Show the progress of the overlay; other formats are fast."""
    if "overlay" not in formats:
        yield None
        return
    num_frames = record.header.analysed.num_frames * record.header.analysed.stride
    with console.progress("overlay", total=num_frames) as progress:
        yield progress.update


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
