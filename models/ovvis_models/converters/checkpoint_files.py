"""Published checkpoint files as plain tensors. No file gets to run code, whatever it asks for.

    .safetensors   as it is
    .pth, .pt      by torch's loader for weights only
    .pkl           detectron2's pickles of numpy arrays, by `array_pickle.py`

What a file is says its first bytes, not its name.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ovvis_models.converters.array_pickle import MALFORMED, load_arrays
from ovvis_models.errors import CorruptWeightsError, MissingWeightsError
from ovvis_models.weights import read_tensors

_WEIGHT_ENTRIES: Final = ("model", "state_dict")  # under which a file with more in it keeps its weights
_ZIP_START: Final = b"PK\x03\x04"
_PICKLE_START: Final = b"\x80"
_OLD_TORCH_START: Final = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # torch's magic number
_TAKE_SAFETENSORS: Final = "take a safetensors file, or one from the model's publisher"


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the weights of a file under its own names, on the CPU; what else it holds is left out.

    Raises:
        MissingWeightsError: there is no such file.
        CorruptWeightsError: it cannot be read, wants to run code, or holds no weights.
    """
    if not path.is_file():
        raise MissingWeightsError(f"no weights file {path}", hint="check the path")
    with path.open("rb") as file:
        start = file.read(max(len(_OLD_TORCH_START), 16))
    if start.startswith((_ZIP_START, _OLD_TORCH_START)):
        return _weights_of(path, _load_torch(path, is_zip=start.startswith(_ZIP_START)))
    if start[8:9] == b"{":  # after the length of its head, which may well begin as a pickle does
        return read_tensors(path)
    if start.startswith(_PICKLE_START):
        return _weights_of(path, load_arrays(path))
    raise CorruptWeightsError(
        f"{path} is neither a safetensors file, nor one of PyTorch, nor a pickle", hint="download it again"
    )


def _load_torch(path: Path, *, is_zip: bool) -> object:
    if is_zip and _is_torchscript(path):
        raise CorruptWeightsError(
            f"{path} is a TorchScript archive: it holds code, which is not run", hint=_TAKE_SAFETENSORS
        )
    try:
        found: object = torch.load(  # noqa: TID251 - weights only, so nothing of the file is executed
            path, map_location="cpu", weights_only=True, mmap=is_zip
        )
    except pickle.UnpicklingError as error:
        raise CorruptWeightsError(
            f"{path} holds more than weights, and what it asks for is not run: {_first_line(error)}",
            hint=_TAKE_SAFETENSORS,
        ) from error
    except (RuntimeError, OSError, *MALFORMED) as error:
        raise CorruptWeightsError(
            f"{path} is no complete PyTorch file: {_first_line(error)}", hint="download it again"
        ) from error
    return found


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False  # torch says what is wrong with it


def _weights_of(path: Path, found: object) -> dict[str, Tensor]:
    for entry in _WEIGHT_ENTRIES:
        if isinstance(found, Mapping) and isinstance(found.get(entry), Mapping):
            found = found[entry]
            break
    if not isinstance(found, Mapping):
        raise _no_weights(path, f"it holds one {type(found).__name__}")
    weights = {str(name): _tensor(value) for name, value in found.items()}
    others = [name for name, value in weights.items() if value is None]
    if others or not weights:
        raise _no_weights(path, f"{others[0]} is no tensor" if others else "it is empty")
    return {name: value for name, value in weights.items() if value is not None}


def _tensor(value: object) -> Tensor | None:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return value if isinstance(value, Tensor) else None


def _no_weights(path: Path, reason: str) -> CorruptWeightsError:
    return CorruptWeightsError(f"{path} is no weights file: {reason}", hint="check the path")


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
