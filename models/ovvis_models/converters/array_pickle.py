"""Reads pickles of numpy arrays and nothing else: neither Python's nor numpy's own constructors are called.

A pickle is a program that names functions and has them called. Here the few names that stand in a pickled
A pickle is a program that names functions and has them called. Here the few names that stand in a pickled
array is then made of its noted type, shape and bytes, after these have been checked against each other.
"""

import math
import pickle
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
"""What Python's unpickler raises, beside its own error, when a file is damaged."""

_NUMBER_KINDS: Final = "fiub"  # floats, integers, booleans
_LARGEST_BYTES: Final = 8


class _RefusedError(pickle.UnpicklingError):
    """The file asks for something that is not part of an array of numbers."""


class _NotedDtype:
    """A number type: kind, size and byte order."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if any(part is not None for part in state[2:5]):
            raise _RefusedError("an array of records")
        self.order = str(state[1]).replace("|", "=")

    def dtype(self) -> np.dtype:
        """Return the type, which is of plain numbers."""
        found = np.dtype(self.order + self.code)
        if found.kind not in _NUMBER_KINDS or found.itemsize > _LARGEST_BYTES:
            raise _RefusedError(f"an array of type {found}")
        return found


class _NotedArray:
    """An array that gets its contents from the state that follows."""

    def __init__(self, *_placeholders: object) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, shape, dtype, is_fortran, data = state
        self.array = _array(data, dtype, shape, order="F" if is_fortran else "C")


class _NotedBuffer(_NotedArray):
    """An array as pickles of protocol 5 hold it."""

    def __init__(self, data: object, dtype: object, shape: object, order: object) -> None:
        self.array = _array(data, dtype, shape, order=str(order))


class _NotedScalar(_NotedArray):
    """A single number."""

    def __init__(self, dtype: object, data: object) -> None:
        self.array = _array(data, dtype, (), order="C")


class _ArrayType:
    """Stands for numpy's array type, which is an argument only."""


def _latin1(text: str, encoding: str) -> bytes:
    """Return the bytes that old protocols write as text."""
    if encoding != "latin1":
        raise _RefusedError(f"the encoding {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Return what old protocols write for an empty array."""
    return b""


_ALLOWED: Final = MappingProxyType(
    {
        ("numpy", "dtype"): _NotedDtype,
        ("numpy", "ndarray"): _ArrayType,
        ("_codecs", "encode"): _latin1,
        ("__builtin__", "bytes"): _no_bytes,
        ("collections", "OrderedDict"): dict,
    }
    | {
        (f"numpy.{package}.{module}", name): stand_in
        for package in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _NotedArray),
            ("multiarray", "scalar", _NotedScalar),
            ("numeric", "_frombuffer", _NotedBuffer),
        )
    }
)


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        """Return the stand-in for a name of a pickled array; refuse all others."""
        if (module, name) not in _ALLOWED:
            raise _RefusedError(f"{module}.{name}")
        return _ALLOWED[module, name]


def load_arrays(path: Path) -> object:
    """Return what a pickle holds: dicts, lists, text, numbers, and numpy arrays of numbers.

    Raises:
        CorruptWeightsError: it is damaged, or asks for anything beyond arrays.
    """
    try:
        with path.open("rb") as file:
            return _revealed(_ArrayUnpickler(file, encoding="latin1").load())
    except _RefusedError as error:
        raise CorruptWeightsError(
            f"{path} asks for {error}, which no weights need; nothing of it was run",
            hint="do not use this file; take one from the model's publisher",
        ) from error
    except (pickle.UnpicklingError, *MALFORMED) as error:
        raise CorruptWeightsError(
            f"{path} is no complete pickle: {error}", hint="download it again"
        ) from error


def _revealed(value: object) -> object:
    """Return a value of the pickle with arrays in the place of the notes, as deep as weights lie."""
    if isinstance(value, dict):
        return {
            key: _revealed(part) if isinstance(part, (dict, _NotedArray)) else part
            for key, part in value.items()
        }
    return value.array if isinstance(value, _NotedArray) else value


def _array(data: object, dtype: object, shape: object, *, order: str) -> np.ndarray:
    if isinstance(data, str):  # of Python 2
        data = data.encode("latin1")
    if not isinstance(data, (bytes, bytearray)) or not isinstance(dtype, _NotedDtype):
        raise _RefusedError("an array that is not of bytes")
    if not isinstance(shape, tuple) or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"an array of shape {shape}")
    kind = dtype.dtype()
    if math.prod(shape) * kind.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for an array of shape {shape} and type {kind}")
    values = np.frombuffer(data, dtype=kind).astype(kind.newbyteorder("="))  # a copy, which may be written
    return values.reshape(shape, order="F" if order == "F" else "C")
