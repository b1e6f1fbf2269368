"""Reader of published checkpoint files, which never runs code from a file.

    .safetensors   directly
    .pth, .pt      with torch's weights-only loader
    .pkl           detectron2's pickles of numpy arrays, with `array_pickle.py`

The first bytes of a file decide its type, not its name. What is stored beside the weights is skipped in both
kinds of pickle: numpy numbers and arrays, options and paths of the training script.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from ovvis_models.converters.array_pickle import (
    MALFORMED,
    STAND_INS,
    NotedArray,
    load_arrays,
    refused,
    unpickling_errors,
)
from ovvis_models.errors import CorruptWeightsError, MissingWeightsError
from ovvis_models.weights import read_tensors

_WEIGHT_ENTRIES: Final = (  # keys that hold the weights in a file with other entries; the first that exists
    "model",
    "state_dict",
    "model_state_dict",
    "module",
    "network",
    "net",
    "weights",
    "params",
    "model_ema",
    "ema",
)
VISION: Final = "visual"  # first part of the names of the vision tower of a CLIP
_WRAPPER: Final = "_orig_mod."  # prefix in names of compiled modules
_ZIP_START: Final = b"PK\x03\x04"
_PICKLE_START: Final = b"\x80"
_OLD_TORCH_START: Final = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # torch's magic number
_TAKE_SAFETENSORS: Final = "take a safetensors file, or one from the model's publisher"
_ASKED_FOR: Final = re.compile(r"GLOBAL (\S+)|function (\S.*)")  # in torch's error about a refused file
_TORCH_STAND_INS: Final[list[Callable[..., object] | tuple[Callable[..., object], str]]] = [
    (stand_in, name) for name, stand_in in STAND_INS.items()
]


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the weights of a file under its own names, on the CPU; other entries are left out.

    A prefix that all names share, such as the `module.` of a wrapper, is removed.

    Raises:
        MissingWeightsError: there is no such file.
        CorruptWeightsError: it cannot be read, would run code, or holds no weights.
    """
    if not path.is_file():
        raise MissingWeightsError(f"the weights file {path} does not exist", hint="check the path")
    with path.open("rb") as file:
        start = file.read(max(len(_OLD_TORCH_START), 16))
    if start.startswith((_ZIP_START, _OLD_TORCH_START)):
        weights = _weights_of(path, _load_torch(path, is_zip=start.startswith(_ZIP_START)))
        return without_common_prefix(weights)
    if start[8:9] == b"{":  # after the 8 length bytes, which may look like the start of a pickle
        return without_common_prefix(read_tensors(path))
    if start.startswith(_PICKLE_START):
        return without_common_prefix(_weights_of(path, load_arrays(path)))
    raise CorruptWeightsError(
        f"{path} is not a safetensors file, a PyTorch file or a pickle", hint="download it again"
    )


def _load_torch(path: Path, *, is_zip: bool) -> object:
    if is_zip and _is_torchscript(path):
        raise CorruptWeightsError(
            f"{path} is a TorchScript archive: it holds code, which is not run", hint=_TAKE_SAFETENSORS
        )
    try:
        with torch.serialization.safe_globals(_TORCH_STAND_INS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about newer pickles; errors are raised
            found: object = torch.load(  # noqa: TID251 - weights only, so nothing of the file is executed
                path, map_location="cpu", weights_only=True, mmap=is_zip
            )
    except pickle.UnpicklingError as error:
        asked_for = _ASKED_FOR.search(str(error))
        what = "more than tensors" if asked_for is None else asked_for[1] or asked_for[2]
        raise refused(path, what=what) from error
    except (RuntimeError, OSError, *MALFORMED) as error:
        raise CorruptWeightsError(
            f"{path} is not a complete PyTorch file: {_first_line(error)}", hint="download it again"
        ) from error
    return found


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False  # torch reports what is wrong with it


def _weights_of(path: Path, found: object) -> dict[str, Tensor]:
    if not isinstance(found, Mapping):
        raise _no_weights(path, f"it holds one {type(found).__name__}")
    entry = next((name for name in _WEIGHT_ENTRIES if isinstance(found.get(name), Mapping)), None)
    if entry is not None:
        return _weights_of(path, found[entry])
    with unpickling_errors(path):
        tensors = {str(name): _tensor(value) for name, value in found.items()}
    weights = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    if not weights:
        raise _no_weights(path, f"{next(iter(tensors))} is not a tensor" if tensors else "it is empty")
    return weights


def without_common_prefix(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without the prefix that all names share, and without torch's compile prefix.

    Scalars without a dot in their name, such as a best score, are ignored when looking for the prefix. The
    vision tower of a CLIP alone keeps its prefix: that is what tells it apart.
    """
    weights = {name.replace(_WRAPPER, ""): tensor for name, tensor in weights.items()}
    shared = [name for name, tensor in weights.items() if tensor.ndim or "." in name]
    prefix = ""
    while len({name.removeprefix(prefix).partition(".")[0] for name in shared}) == 1:
        part, dot, _ = shared[0].removeprefix(prefix).partition(".")
        if part == VISION or not dot or not all("." in name.removeprefix(prefix) for name in shared):
            break
        prefix += part + dot
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items()}


def _tensor(value: object) -> Tensor | None:
    if isinstance(value, NotedArray):
        return torch.from_numpy(value.array())
    return value if isinstance(value, Tensor) else None


def _no_weights(path: Path, reason: str) -> CorruptWeightsError:
    return CorruptWeightsError(f"{path} is not a weights file: {reason}", hint="check the path")


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
