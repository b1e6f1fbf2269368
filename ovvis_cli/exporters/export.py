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
    overlay_progress: Callable[[int], None] | None = None,
) -> tuple[Record, dict[ExportFormat, Path]]:
    """Makes the formats that are not yet beside the record; returns it with them noted, and their files.

    Outputs appear whole or not at all, so one that exists is done: a killed run goes on with the next.

    Raises:
        RecordError: the record is damaged, or its video is gone.
        VideoError: the video cannot be decoded or the overlay not encoded.
        ResourceError: the disk is full or not writable.
    """
    wanted = tuple(dict.fromkeys(formats))
    remembered = (*record.header.saved, *(name for name in wanted if name not in record.header.saved))
    if remembered != record.header.saved:
        record = record.with_header(replace(record.header, saved=remembered))
    paths = {name: output_path(record, name) for name in wanted}
    for name, path in paths.items():
        if path.exists():
            continue
        if name == "overlay":
            export_overlay(record, path, progress=overlay_progress)
        else:
            EXPORTERS[name](record, path)
    return record, paths
