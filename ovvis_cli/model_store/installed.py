"""Installed models: one weights file each, in the user's data folder or OVVIS_HOME.

<home>/models/<name>.safetensors    as `load` reads it
<home>/downloads/<file>             published files until they are installed
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from ovvis_cli.errors import ModelError

if TYPE_CHECKING:
    from ovvis_models.systems.spec import ModelSpec

HOME_VARIABLE: Final = "OVVIS_HOME"


def home_folder() -> Path:
    """Return the folder of everything that is installed; it may not exist yet."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_data_path("ovvis", appauthor=False)


def models_folder() -> Path:
    """Return the folder of installed weights."""
    return home_folder() / "models"


def downloads_folder() -> Path:
    """Return the folder of published files that are not installed yet."""
    return home_folder() / "downloads"


def installed_path(name: str) -> Path:
    """Return the path of a model's weights when it is installed."""
    return models_folder() / f"{name}.safetensors"


def weights_file(spec: "ModelSpec") -> Path | None:
    """Return a model's weights file, embedded or installed, or None."""
    from ovvis_models.loading import ZOO

    path = installed_path(spec.name) if spec.weights is None else ZOO / spec.weights.file_name
    return path if path.is_file() else None


def locate(name_or_path: str | Path) -> str | Path:
    """Return what `load` takes: the path of an installed model; embedded models and paths are returned
    unchanged.

    Raises:
        ModelError: the model is in the catalog, but not installed.
        UnknownModelError: no model has that name.
    """
    from ovvis_models.catalog import find_spec

    if Path(name_or_path).suffix == ".safetensors":
        return name_or_path
    spec = find_spec(str(name_or_path))
    if spec.weights is not None:
        return spec.name
    path = weights_file(spec)
    if path is None:
        raise ModelError(
            f"{spec.name} is not installed: there is no {installed_path(spec.name)}", hint=_where(spec)
        )
    return path


def _where(spec: "ModelSpec") -> str:
    """Return how to get the weights of a model that is not installed."""
    if spec.sources:
        return f"ovvis models pull {spec.name}"
    if spec.page is not None:
        return f"ovvis models info {spec.name} shows where to get it"
    return f"`ovvis train {spec.name}` trains it, then `ovvis models import {spec.name} FILE`"


@contextmanager
def hold_install_lock() -> Iterator[None]:
    """Hold the install lock: no other ovvis can change the installed models meanwhile.

    Raises:
        ResourceError: another process holds it, or the folder cannot be written.
    """
    from ovvis_cli.atomic import disk_errors, take_lock

    home = home_folder()
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".lock").open("w")
    with lock:
        take_lock(lock, name=str(home))
        yield
