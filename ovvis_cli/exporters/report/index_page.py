"""Index page over a folder of results: a contact sheet of its videos, with links to their reports."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.colors import hex_color, track_color
from ovvis_cli.exporters.report.page import crops_of, embedded_json, page_around_data, read_summary
from ovvis_cli.exporters.tracks import best_first
from ovvis_cli.record.folders import record_folders
from ovvis_cli.record.layout import DEFAULT_NAMES
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import RecordHeader

INDEX_NAME: Final = "index.html"

_NUM_CROPS: Final = 8

Json = dict[str, object]


def write_index(results: Path) -> Path:
    """Write `index.html` over the records in `results`; pictures are those of their reports, where written.

    Memory does not grow with the number of records. Several processes may write it at a time.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    path = results / INDEX_NAME
    before, after = page_around_data("index.html")
    with atomic_path(path, shared=True) as partial, partial.open("w", encoding="utf-8", newline="\n") as page:
        page.write(before)
        page.write('<script type="application/json" id="entries">[')
        for number, entry in enumerate(_entries(results)):
            page.write((",\n" if number else "\n") + embedded_json(entry))
        page.write("\n]</script>\n")
        page.write(after)
    return path


def update_index(results: Path) -> Path | None:
    """Write the index of `results` again if there is one, so that it shows changed records."""
    return write_index(results) if (results / INDEX_NAME).is_file() else None


def _entries(results: Path) -> Iterator[Json]:
    for folder in record_folders(results):
        try:
            record = Record.open(folder)
        except RecordError as error:
            yield {"folder": folder.name, "error": str(error)}
            continue
        yield _entry(record)


def _entry(record: Record) -> Json:
    header = record.header
    report = record.folder / DEFAULT_NAMES["report"]
    has_report = "report" in header.saved and report.is_file()
    summary = (read_summary(report) if has_report else None) or {}
    tracks = best_first(header)
    crops = crops_of(summary)
    return {
        "folder": record.folder.name,
        "video": Path(header.source.path).name,
        "report": f"{quote(record.folder.name)}/{DEFAULT_NAMES['report']}" if has_report else None,
        "model": header.model.name,
        "numFrames": header.analysed.num_frames,
        "length": _length_s(header),
        "width": header.source.width,
        "height": header.source.height,
        "poster": summary.get("poster"),
        "names": dict(Counter(track.label for track in tracks)),
        "tracks": [
            {
                "id": track.track_id,
                "label": track.label,
                "score": track.score,
                "color": hex_color(track_color(track.track_id)),
                "crop": crops.get(track.track_id) if number < _NUM_CROPS else None,
            }
            for number, track in enumerate(tracks)
        ],
    }


def _length_s(header: RecordHeader) -> float | None:
    """Return the length of the analysed part in seconds, or None where the end is unknown."""
    end_s = header.analysed.end_s if header.analysed.end_s is not None else header.source.duration_s
    return None if end_s is None else max(0.0, end_s - header.analysed.start_s)
