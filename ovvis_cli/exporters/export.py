"""Export of a record to any format, and the table of formats."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ovvis_cli.exporters import DEFAULT_NAMES, VIDEO_FORMATS, ExportFormat
from ovvis_cli.exporters.burst import export_burst
from ovvis_cli.exporters.coco import export_coco
from ovvis_cli.exporters.cvat import export_cvat
from ovvis_cli.exporters.davis import export_davis
from ovvis_cli.exporters.label_studio import export_label_studio
from ovvis_cli.exporters.mots import export_mots
from ovvis_cli.exporters.mots_png import export_mots_png
from ovvis_cli.exporters.overlay import export_overlay
from ovvis_cli.exporters.report.video_report import export_report
from ovvis_cli.exporters.rle import export_rle
from ovvis_cli.exporters.table import export_csv
from ovvis_cli.exporters.yolo import export_yolo_seg
from ovvis_cli.exporters.ytvis import export_ytvis
from ovvis_cli.record.reader import Record

Exporter = Callable[[Record, Path], Path]

EXPORTERS: Final[dict[ExportFormat, Exporter]] = {
    "overlay": export_overlay,
    "ytvis": export_ytvis,
    "coco": export_coco,
    "cvat": export_cvat,
    "yolo-seg": export_yolo_seg,
    "label-studio": export_label_studio,
    "rle": export_rle,
    "csv": export_csv,
    "mots": export_mots,
    "mots-png": export_mots_png,
    "davis": export_davis,
    "burst": export_burst,
    "report": export_report,
}


def output_path(record: Record, export_format: ExportFormat) -> Path:
    """Return the path of a format beside the record."""
    return record.folder / DEFAULT_NAMES[export_format]


def saved_formats(record: Record) -> tuple[ExportFormat, ...]:
    """Return the formats that were written beside the record and that this version knows."""
    return tuple(name for name in EXPORTERS if name in record.header.saved)


def ensure_exports(
    record: Record,
    formats: Iterable[ExportFormat],
    *,
    remake: bool = False,
    source: Path | None = None,
    video_progress: Callable[[int], None] | None = None,
) -> tuple[Record, dict[ExportFormat, Path]]:
    """Write the formats that are missing beside the record; return the updated record and the files.

    Each output is written atomically and then noted in the record. So a killed run continues with the first
    format that is not both noted and present.

    Args:
        record: what to export.
        formats: each is written once.
        remake: write existing formats again.
        source: new path of the video if it was moved; for `VIDEO_FORMATS`.
        video_progress: called with the number of finished frames of all `VIDEO_FORMATS` together.

    Raises:
        RecordError: the record is damaged, or its video is missing.
        VideoError: the video cannot be decoded or the overlay cannot be encoded.
        ResourceError: the disk is full or not writable.
    """
    paths = {name: output_path(record, name) for name in formats}
    progress = video_progress
    for name, path in sorted(paths.items(), key=lambda item: item[0] in VIDEO_FORMATS):  # the slow ones last
        noted = name in record.header.saved
        if remake or not noted or not path.exists():
            export_one(record, name, output=path, source=source, video_progress=progress)
            progress = _continued(progress, record=record) if name in VIDEO_FORMATS else progress
        if not noted:  # noted only now: what is noted and present belongs to this record
            record = record.with_header(replace(record.header, saved=(*record.header.saved, name)))
    return record, paths


def export_one(
    record: Record,
    export_format: ExportFormat,
    *,
    output: Path,
    source: Path | None = None,
    video_progress: Callable[[int], None] | None = None,
) -> Path:
    """Write one format to any path; arguments and errors as in `ensure_exports`."""
    match export_format:
        case "overlay":
            return export_overlay(record, output, source=source, progress=video_progress)
        case "report":
            return export_report(record, output, source=source, progress=video_progress)
        case _:
            return EXPORTERS[export_format](record, output)


def num_video_frames(record: Record) -> int:
    """Return the number of frames that each of `VIDEO_FORMATS` writes; an estimate if there is a stride."""
    return record.header.analysed.num_frames * record.header.analysed.stride


def _continued(progress: Callable[[int], None] | None, *, record: Record) -> Callable[[int], None] | None:
    """Return a callback that counts on after the frames of one format."""
    if progress is None:
        return None
    num_before = num_video_frames(record)
    return lambda num_done: progress(num_before + num_done)
