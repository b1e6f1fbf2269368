"""Folders of results: the record in a folder, or the records in the folders below it."""

from pathlib import Path

from ovvis_cli.errors import RecordError
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import CHECKPOINT_NAME, HEADER_NAME, MASKS_NAME


def record_folders(results: Path) -> list[Path]:
    """Return `results` if it holds a finished record, else the folders directly below it that do, by name."""
    if (results / HEADER_NAME).is_file():
        return [results]
    if not results.is_dir():
        return []
    return sorted(path.parent for path in results.glob(f"*/{HEADER_NAME}"))


def open_records(results: Path) -> list[Record]:
    """Open the record in `results`, or all records of a folder of results.

    Raises:
        RecordError: there is no finished record, or one is damaged.
    """
    folders = record_folders(results)
    if folders:
        return [Record.open(folder) for folder in folders]
    is_unfinished = (results / MASKS_NAME).exists() or (results / CHECKPOINT_NAME).exists()
    if not is_unfinished and results.is_dir() and any(path.is_dir() for path in results.iterdir()):
        raise RecordError(
            f"{results} holds no record",
            hint="give the folder of one, or the --output folder of ovvis segment",
        )
    return [Record.open(results)]  # says why it is not a record
