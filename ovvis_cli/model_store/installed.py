"""Which models are installed, and where: one weights file each, below the user's data folder or OVVIS_HOME.

<home>/models/<name>.safetensors    as `catalog.load` reads it
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
    """The folder of everything that is installed; it need not exist."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_data_path("ovvis", appauthor=False)


def models_folder() -> Path:
    """The folder of installed weights."""
    return home_folder() / "models"


def downloads_folder() -> Path:
    """The folder of published files that are not installed yet."""
    return home_folder() / "downloads"


def installed_path(name: str) -> Path:
    """Where the weights of a model are put when it is installed."""
    return models_folder() / f"{name}.safetensors"


def weights_file(spec: "ModelSpec") -> Path | None:
    """The weights file of a model: the embedded one or the installed one; None where there is none."""
    from ovvis_models.loading import ZOO

    path = installed_path(spec.name) if spec.weights is None else ZOO / spec.weights.file_name
    return path if path.is_file() else None


def locate(name_or_path: str | Path) -> str | Path:
    """What `catalog.load` takes: the path of an installed model; embedded ones and paths as they are.

    Raises:
        ModelError: the model is in the catalogue, but not installed.
        UnknownModelError: there is no model of that name.
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
            f"{spec.name} is not installed: {installed_path(spec.name)} does not exist",
            hint=f"ovvis models info {spec.name} tells where to get it"
            if spec.page
            else f"ovvis models pull {spec.name}",
        )
    return path


@contextmanager
def only_one() -> Iterator[None]:
    """While the body runs, no other ovvis changes what is installed here.

    Raises:
        ResourceError: another one does, or the folder cannot be written.
    """
    from ovvis_cli.atomic import disk_errors, take_lock

    home = home_folder()
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".lock").open("w")
    with lock:
        take_lock(lock, name=str(home))
        yield
