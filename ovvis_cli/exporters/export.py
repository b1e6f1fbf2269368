"""Makes any format of a record; the table of all of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ovvis_cli.exporters import DEFAULT_NAMES, ExportFormat
from ovvis_cli.exporters.coco import export_coco
from ovvis_cli.exporters.davis import export_davis
from ovvis_cli.exporters.mots import export_mots
from ovvis_cli.exporters.overlay import export_overlay
from ovvis_cli.exporters.rle import export_rle
from ovvis_cli.exporters.table import export_csv
from ovvis_cli.exporters.ytvis import export_ytvis
from ovvis_cli.record.reader import Record

Exporter = Callable[[Record, Path], Path]

EXPORTERS: Final[dict[ExportFormat, Exporter]] = {
    "overlay": export_overlay,
    "ytvis": export_ytvis,
    "coco": export_coco,
    "rle": export_rle,
    "csv": export_csv,
    "mots": export_mots,
    "davis": export_davis,
}


def output_path(record: Record, export_format: ExportFormat) -> Path:
    """Where a format stands beside the record."""
    return record.folder / DEFAULT_NAMES[export_format]


def saved_formats(record: Record) -> tuple[ExportFormat, ...]:
    """The formats that were made beside the record and that this version knows."""
    return tuple(name for name in EXPORTERS if name in record.header.saved)


def ensure_exports(
    record: Record,
    formats: Iterable[ExportFormat],
    *,
    remake: bool = False,
    source: Path | None = None,
    overlay_progress: Callable[[int], None] | None = None,
) -> tuple[Record, dict[ExportFormat, Path]]:
    """Makes the formats that are not yet beside the record; returns it with them noted, and their files.

    Outputs appear whole or not at all and are noted in the record afterwards, so a killed run goes on with
    the first that is not both noted and there.

    Args:
        record: what to export.
        formats: each is made once.
        remake: make those that exist, too.
        source: where the video is now, if it was moved since; for the overlay.
        overlay_progress: told after every frame of the overlay how many are done.

    Raises:
        RecordError: the record is damaged, or its video is gone.
        VideoError: the video cannot be decoded or the overlay not encoded.
        ResourceError: the disk is full or not writable.
    """
    paths = {name: output_path(record, name) for name in formats}
    for name, path in sorted(
        paths.items(), key=lambda item: item[0] == "overlay"
    ):  # it alone needs the video
        noted = name in record.header.saved
        if remake or not noted or not path.exists():
            export_one(record, name, output=path, source=source, overlay_progress=overlay_progress)
        if not noted:  # only now: what is noted and exists is known to belong to this record
            record = record.with_header(replace(record.header, saved=(*record.header.saved, name)))
    return record, paths


def export_one(
    record: Record,
    export_format: ExportFormat,
    *,
    output: Path,
    source: Path | None = None,
    overlay_progress: Callable[[int], None] | None = None,
) -> Path:
    """Makes one format, anywhere; arguments and errors as `ensure_exports`."""
    if export_format == "overlay":
        return export_overlay(record, output, source=source, progress=overlay_progress)
    return EXPORTERS[export_format](record, output)
