"""One file a format. This file only names the formats, without importing what writes them."""

from typing import Final, Literal

ExportFormat = Literal["overlay", "ytvis", "coco", "rle", "csv", "mots", "davis"]

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
