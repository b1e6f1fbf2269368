"""Reader of pickles that hold numpy arrays and nothing else, without running any code from the file.

A pickle is a program that names functions and calls them. Here the few names that occur in a pickled array
stand for classes that only record their arguments. The array is then built from the recorded type, shape and
bytes, after these have been checked against each other.
"""

import math
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from ovvis_models.errors import CorruptWeightsError

MALFORMED: Final = (
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)
"""Errors of Python's unpickler for damaged files, besides UnpicklingError."""

_NUMBER_KINDS: Final = "fiub"  # floats, integers, booleans
_LARGEST_BYTES: Final = 8
_MAX_SHOWN: Final = 80  # characters of a name in the file


class _RefusedError(pickle.UnpicklingError):
    """The file asks for something that is not part of an array of numbers."""


class _NotedDtype:
    """A recorded number type: kind, size and byte order."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if any(part is not None for part in state[2:5]):
            raise _RefusedError("an array of records")
        self.order = str(state[1]).replace("|", "=")

    def dtype(self) -> np.dtype:
        """Return the dtype; only plain numbers are allowed."""
        found = np.dtype(self.order + self.code)
        if found.kind not in _NUMBER_KINDS or found.itemsize > _LARGEST_BYTES:
            raise _RefusedError(f"an array of type {found}")
        return found


class NotedArray:
    """The recorded parts of an array; they are checked and assembled only by `array()`."""

    def __init__(self, *_placeholders: object) -> None:
        self._noted: tuple[object, object, object, str] | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, shape, dtype, is_fortran, data = state
        self._noted = (data, dtype, shape, "F" if is_fortran else "C")

    def array(self) -> np.ndarray:
        """Assemble the array. Raises UnpicklingError or ValueError if it does not hold numbers."""
        if self._noted is None:
            raise ValueError("an array without contents")
        data, dtype, shape, order = self._noted
        return _array(data, dtype, shape, order=order)


class _NotedBuffer(NotedArray):
    """An array in the form of pickle protocol 5."""

    def __init__(self, data: object, dtype: object, shape: object, order: object) -> None:
        self._noted = (data, dtype, shape, str(order))


class _NotedScalar(NotedArray):
    """A single number."""

    def __init__(self, dtype: object, data: object) -> None:
        self._noted = (data, dtype, (), "C")


class _ArrayType:
    """Stand-in for numpy's array type, which occurs only as an argument."""


class _Ignored:
    """Stand-in for objects that training scripts save beside weights, such as options; keeps nothing."""

    def __init__(self, *_arguments: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        """Drop the contents."""


def _ignored_dict(*_arguments: object) -> dict[object, object]:
    """Return the stand-in for a defaultdict."""
    return {}


def _latin1(text: str, encoding: str) -> bytes:
    """Return the bytes that old protocols store as text."""
    if encoding != "latin1":
        raise _RefusedError(f"the encoding {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Return the data of an empty array in old protocols."""
    return b""


_IGNORED_NAMES: Final = (  # types that training scripts save beside weights
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(
        f"{module}.{name}"
        for module in ("pathlib", "pathlib._local")
        for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    ),
    *(  # default factories of defaultdicts
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in ("dict", "float", "int", "list")
    ),
)
STAND_INS: Final[Mapping[str, Callable[..., object]]] = MappingProxyType(
    {
        "numpy.dtype": _NotedDtype,
        "numpy.ndarray": _ArrayType,
        **dict.fromkeys(
            ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"), NotedArray
        ),
        **dict.fromkeys(("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"), _NotedScalar),
        **dict.fromkeys(("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"), _NotedBuffer),
        "_codecs.encode": _latin1,
        "__builtin__.bytes": _no_bytes,
        "collections.OrderedDict": dict,
        "collections.defaultdict": _ignored_dict,
        **dict.fromkeys(_IGNORED_NAMES, _Ignored),
    }
)
"""Stand-ins for the names in a file."""


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        """Return the stand-in for a name that occurs in pickled arrays; refuse all others."""
        full_name = f"{module}.{name}"
        if full_name not in STAND_INS:
            raise _RefusedError(full_name)
        return STAND_INS[full_name]


def load_arrays(path: Path) -> object:
    """Load a pickle as dicts, lists, strings, numbers, and arrays as `NotedArray`.

    Raises:
        CorruptWeightsError: it is damaged, or asks for anything beyond arrays.
    """
    with unpickling_errors(path), path.open("rb") as file:
        found: object = _ArrayUnpickler(file, encoding="latin1").load()
    return found


@contextmanager
def unpickling_errors(path: Path) -> Iterator[None]:
    """Turn errors of a pickle or its arrays into CorruptWeightsError."""
    try:
        yield
    except _RefusedError as error:
        raise refused(path, what=str(error)) from error
    except (pickle.UnpicklingError, *MALFORMED) as error:
        raise CorruptWeightsError(
            f"{path} is not a complete pickle: {error}", hint="download it again"
        ) from error


def refused(path: Path, *, what: str) -> CorruptWeightsError:
    """Return the error for a file that needs more than arrays, such as a Python function."""
    shown = what if len(what) <= _MAX_SHOWN else f"{what[:_MAX_SHOWN]}..."
    return CorruptWeightsError(
        f"{path} asks for {shown}, which weights do not need; nothing of it was run",
        hint="take a safetensors file, or one from the model's publisher",
    )


def _array(data: object, dtype: object, shape: object, *, order: str) -> np.ndarray:
    if isinstance(data, str):  # from Python 2
        data = data.encode("latin1")
    if not isinstance(data, (bytes, bytearray)) or not isinstance(dtype, _NotedDtype):
        raise _RefusedError("an array that is not of bytes")
    if not isinstance(shape, tuple) or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"an array of shape {shape}")
    kind = dtype.dtype()
    if math.prod(shape) * kind.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for an array of shape {shape} and type {kind}")
    values = np.frombuffer(data, dtype=kind).astype(kind.newbyteorder("="))  # a writable copy
    return values.reshape(shape, order="F" if order == "F" else "C")
