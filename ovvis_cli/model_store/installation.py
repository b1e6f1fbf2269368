"""Installation of published files: conversion into one weights file, written atomically."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from safetensors import SafetensorError

from ovvis_cli.atomic import atomic_path
from ovvis_cli.errors import ResourceError, WeightsError
from ovvis_cli.model_store.installed import installed_path
from ovvis_models.loading import assemble, load
from ovvis_models.systems.spec import ModelSpec
from ovvis_models.text.class_embeddings import ClassEmbeddings
from ovvis_models.weights import read_metadata, read_tensors, save_tensors

_READABLE: Final = (
    0o644  # the safetensors library writes files readable only by their owner; a home may be shared
)


def install(
    spec: ModelSpec, files: Sequence[Path], *, class_embeddings: ClassEmbeddings | None = None
) -> Path:
    """Convert published files into the model's weights file, written atomically.

    A single file that already is such a weights file, from another machine or from `ovvis train`, is copied.
    `class_embeddings` are stored in the file, in place of any that it has.

    Raises:
        WeightsError: a file is missing, unreadable or of another network, or a weight is not finite.
        ResourceError: the disk is full or not writable.
    """
    path = installed_path(spec.name)
    if len(files) == 1 and _is_installable(files[0], spec):
        load(files[0])  # raises if it does not fit
        if class_embeddings is None:
            with atomic_path(path) as partial:
                shutil.copyfile(files[0], partial)
            return path
        tensors, metadata = read_tensors(files[0]), read_metadata(files[0])
    else:
        tensors = assemble(spec, files).state_dict()
        metadata = {
            "model": spec.name,
            "licence": spec.licence,
            "made_of": ", ".join(file.name for file in files),
        }
    if class_embeddings is not None:
        rows, names = class_embeddings.to_file()
        tensors, metadata = tensors | rows, metadata | names
    with atomic_path(path) as partial:
        try:
            save_tensors(tensors, partial, metadata=metadata, dtype=None)
        except ValueError as error:
            raise WeightsError(f"{spec.name}: {error}", hint="the published file is damaged") from error
        except SafetensorError as error:
            raise ResourceError(f"cannot write {path}: {error}", hint="check free space") from error
        partial.chmod(_READABLE)
    return path


def _is_installable(path: Path, spec: ModelSpec) -> bool:
    return path.suffix == ".safetensors" and read_metadata(path).get("model") == spec.name
