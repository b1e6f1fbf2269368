"""What else may stand in a record's folder: the exports, and under which names. Imports nothing heavy."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ovvis_cli.choices import ExportFormat

DEFAULT_NAMES: Final[dict[ExportFormat, str]] = {
    "overlay": "overlay.mp4",
    "ytvis": "ytvis.json",
    "coco": "coco.json",
    "rle": "masks.jsonl",  # the record's own
    "csv": "instances.csv",
    "mots": "mots.txt",
    "davis": "davis",
}
"""The file of each format in the folder of the record."""


def remove_exports(folder: Path, formats: Iterable[str]) -> None:
    """Removes outputs that show labels or masks that are no longer true; the record's own masks stay."""
    for name, file_name in DEFAULT_NAMES.items():
        path = folder / file_name
        if name not in formats or name == "rle":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
