"""Names of the exported files in a record's folder."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ovvis_cli.choices import ExportFormat

DEFAULT_NAMES: Final[dict[ExportFormat, str]] = {
    "overlay": "overlay.mp4",
    "ytvis": "ytvis.json",
    "coco": "coco.json",
    "cvat": "cvat.zip",
    "yolo-seg": "yolo-seg",
    "label-studio": "label-studio.json",
    "rle": "masks.jsonl",  # part of the record itself
    "csv": "instances.csv",
    "mots": "mots.txt",
    "mots-png": "mots-png.zip",
    "davis": "davis",
    "burst": "burst.json",
    "report": "report.html",
}
"""File name of each format in the record's folder."""


def remove_exports(folder: Path, formats: Iterable[str]) -> None:
    """Remove outputs whose labels or masks are out of date; keep the record's own masks."""
    for name, file_name in DEFAULT_NAMES.items():
        path = folder / file_name
        if name not in formats or name == "rle":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
