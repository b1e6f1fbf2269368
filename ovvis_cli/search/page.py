"""Page of the tracks that a search found, with their pictures and links to the reports of their videos."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ovvis_cli.atomic import atomic_path
from ovvis_cli.exporters.colors import hex_color, track_color
from ovvis_cli.exporters.report.page import crops_of, embedded_json, page_around_data, read_summary
from ovvis_cli.record.layout import DEFAULT_NAMES
from ovvis_cli.search.find import Hit

Json = dict[str, object]


def write_find_page(path: Path, *, hits: Sequence[Hit], names: Sequence[str], num_tracks: int) -> None:
    """Write the tracks that were found; pictures are those of the reports of their records, where written.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    records = {hit.record for hit in hits}
    crops = {record: _crops(record) for record in records}
    entries = [_entry(hit, page=path, crops=crops[hit.record]) for hit in hits]
    found = {"names": list(names), "numTracks": num_tracks, "hits": entries}
    before, after = page_around_data("find.html")
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as page:
        page.write(before)
        page.write(f'<script type="application/json" id="found">{embedded_json(found)}</script>\n')
        page.write(after)


def _entry(hit: Hit, *, page: Path, crops: dict[int, str] | None) -> Json:
    return {
        "score": hit.score,
        "name": hit.name,
        "record": hit.record.name or hit.record.resolve().name,
        "video": Path(hit.video).name,
        "id": hit.track_id,
        "first": hit.first_time_s,
        "last": hit.last_time_s,
        "color": hex_color(track_color(hit.track_id)),
        "crop": None if crops is None else crops.get(hit.track_id),
        "report": None if crops is None else _address(hit.record / DEFAULT_NAMES["report"], page=page),
    }


def _crops(record: Path) -> dict[int, str] | None:
    """Return the pictures in a record's report, or None without a report."""
    summary = read_summary(record / DEFAULT_NAMES["report"])
    return None if summary is None else crops_of(summary)


def _address(report: Path, *, page: Path) -> str:
    """Return the address of a report, relative to the page where both are on one disk."""
    try:
        return quote(Path(os.path.relpath(report, page.parent)).as_posix())
    except ValueError:  # another drive
        return report.resolve().as_uri()
