"""Load and save weights as safetensors, with strict checks. Only this file of the core opens files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ovvis_models.errors import CorruptWeightsError, MismatchedWeightsError, MissingWeightsError

_NUM_SHOWN = 5  # names listed per kind of mismatch


def load_weights(module: nn.Module, path: Path, *, sha256: str | None = None) -> None:
    """Load the tensors of a file into the module; floats are converted to the module's dtype.

    Raises:
        MissingWeightsError: when the file does not exist.
        CorruptWeightsError: when the file is not a valid safetensors file, or its hash is not `sha256`.
        MismatchedWeightsError: when a name or shape differs from the module's.
    """
    fill(module, read_weights(path, sha256=sha256), named=str(path))


def read_weights(path: Path, *, sha256: str | None) -> dict[str, Tensor]:
    """Return all tensors of a file, on the CPU, after a check of its hash where one is given.

    Raises:
        MissingWeightsError: when the file does not exist.
        CorruptWeightsError: when the file is not a valid safetensors file, or its hash is not `sha256`.
    """
    if sha256 is not None and (found := weights_hash(path)) != sha256:
        raise CorruptWeightsError(
            f"{path} has the wrong checksum: SHA-256 {found[:12]}..., expected {sha256[:12]}...",
            hint="install or download it again",
        )
    return read_tensors(path)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], *, named: str) -> None:
    """Load tensors into the module; floats are converted to the module's dtype.

    `named` is the source of the tensors, for error messages.

    Raises:
        MismatchedWeightsError: when a name or shape differs from the module's.
    """
    report = mismatch(module.state_dict(), tensors)
    if report:
        raise MismatchedWeightsError(f"{named} contains the weights of another network: {report}")
    module.load_state_dict(dict(tensors))


def save_weights(
    module: nn.Module, path: Path, *, metadata: Mapping[str, str], dtype: torch.dtype | None = torch.float16
) -> None:
    """Write the tensors of the module, with floats as `dtype`, and `metadata` in the file header.

    With `dtype` None no value changes: a tensor is stored in half precision if that is exact, else unchanged.
    `metadata["model"]` should be the catalog name of the model: it allows `loading.load` to load the file by
    its path.

    Raises:
        ValueError: when a value is not finite, or does not fit `dtype`.
    """
    save_tensors(module.state_dict(), path, metadata=metadata, dtype=dtype)


def save_tensors(
    tensors: Mapping[str, Tensor],
    path: Path,
    *,
    metadata: Mapping[str, str],
    dtype: torch.dtype | None = torch.float16,
) -> None:
    """Write tensors in the same way as `save_weights`; an existing file is replaced atomically.

    Raises:
        ValueError: when a value is not finite, or does not fit `dtype`.
    """
    stored = {name: _stored(name, tensor, dtype) for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    save_file(stored, unfinished, metadata=dict(metadata))
    unfinished.replace(path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a file, on the CPU.

    Raises:
        MissingWeightsError: when the file does not exist.
        CorruptWeightsError: when the file is not a valid safetensors file.
    """
    _require(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError, ValueError) as error:
        raise _corrupt(path, error) from error


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata that `save_weights` stored in a file.

    Raises:
        MissingWeightsError: when the file does not exist.
        CorruptWeightsError: when the file is not a valid safetensors file.
    """
    _require(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise _corrupt(path, error) from error


def weights_hash(path: Path) -> str:
    """Return the SHA-256 hash of the file, in hexadecimal.

    Raises:
        MissingWeightsError: when the file does not exist.
    """
    _require(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mismatch(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Return a one-line description of differing names and shapes; empty if all agree."""
    missing = sorted(expected.keys() - found.keys())
    unexpected = sorted(found.keys() - expected.keys())
    reshaped = [
        f"{name} {_shape(found[name])} instead of {_shape(expected[name])}"
        for name in sorted(expected.keys() & found.keys())
        if found[name].shape != expected[name].shape
    ]
    parts = (
        _listed("missing", missing),
        _listed("unexpected", unexpected),
        _listed("of another shape", reshaped),
    )
    return "; ".join(part for part in parts if part)


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > _NUM_SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:_NUM_SHOWN])}{more})"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _stored(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.detach().cpu().clone()
    value = tensor.detach().cpu()
    stored = value.to(dtype or torch.float16, copy=True)  # safetensors refuses tensors that share memory
    if dtype is None and not torch.equal(stored.to(value.dtype), value):
        stored = value.clone()
    if not stored.isfinite().all():
        raise ValueError(f"{name} has values that cannot be stored as {stored.dtype}")
    return stored.contiguous()


def _require(path: Path) -> None:
    if not path.is_file():
        raise MissingWeightsError(f"the weights file {path} does not exist", hint="check the path")


def _corrupt(path: Path, error: Exception) -> CorruptWeightsError:
    return CorruptWeightsError(
        f"{path} is not a readable safetensors file: {error}", hint="install or download it again"
    )
