"""Search for data sets when no folder is given.

Searched in order: $OVVIS_DATA/<data set>, datasets/<data set> in the current folder, the system's data
folder.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ovvis_cli.choices import SplitName
from ovvis_cli.data.catalog import DATA_SETS, DataSetFiles, DataSetSpec, find_files
from ovvis_cli.errors import AnnotationError

DATA_VARIABLE: Final = "OVVIS_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDataSet:
    """A data set found on this machine; `folder` is None if nothing was found."""

    spec: DataSetSpec
    folder: Path | None
    splits: tuple[SplitName, ...]  # with annotations and frames


def data_homes(*, system_folder: Path) -> tuple[Path, ...]:
    """Return the folders that may hold data sets, in search order."""
    chosen = os.environ.get(DATA_VARIABLE)
    named = [Path(chosen).expanduser()] if chosen else []
    return (*named, Path("datasets"), system_folder)


def locate_data_set(spec: DataSetSpec, *, split: SplitName, homes: Sequence[Path]) -> DataSetFiles:
    """Find the files of a split in the first home that has them.

    Raises:
        AnnotationError: no home has them. The message names the folders, the needed files, and where the data
            set is published; if a folder is incomplete, what it lacks.
    """
    incomplete: AnnotationError | None = None
    for folder in _folders(spec, homes):
        try:
            return find_files(spec, folder, split=split)
        except AnnotationError as error:
            incomplete = incomplete or error
    if incomplete is not None:
        raise incomplete
    looked = ", ".join(str(home / spec.name) for home in homes)
    name = spec.split_names[split][0] if split in spec.split_names else split
    needed = f"{spec.annotations[0].format(split=name)} and {spec.frames[0].format(split=name)}"
    raise AnnotationError(
        f"{spec.title} was not found: looked for {looked}",
        hint=f"one of them must hold {needed}, or another layout of docs/evaluation.md; --data names a folder"
        f" elsewhere; get it from {spec.page}",
    )


def find_data_sets(homes: Sequence[Path]) -> Iterator[FoundDataSet]:
    """Yield every known data set with what is found of it."""
    for spec in DATA_SETS.values():
        yield next(
            (found for folder in _folders(spec, homes) if (found := _found(spec, folder)).splits),
            FoundDataSet(spec=spec, folder=None, splits=()),
        )


def _folders(spec: DataSetSpec, homes: Sequence[Path]) -> Iterator[Path]:
    names = dict.fromkeys((spec.name, *spec.folders))
    return (home / name for home in homes for name in names if (home / name).is_dir())


def _found(spec: DataSetSpec, folder: Path) -> FoundDataSet:
    splits = tuple(split for split in spec.split_names if _has(spec, folder, split=split))
    return FoundDataSet(spec=spec, folder=folder, splits=splits)


def _has(spec: DataSetSpec, folder: Path, *, split: SplitName) -> bool:
    try:
        find_files(spec, folder, split=split)
    except AnnotationError:
        return False
    return True
