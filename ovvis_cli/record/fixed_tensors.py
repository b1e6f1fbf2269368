"""The part of a checkpoint that never changes: each tensor is a file of its own, written once.

A checkpoint is rewritten every few frames. A memory of many windows (GenVIS) would be rewritten with it each
time, though only its newest entry is new.
"""

import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from ovvis_cli.atomic import write_bytes_atomic

_VALUE: Final = "value"  # the only tensor of a file
_NAME: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")


class FixedTensors:
    """A folder of tensors. It is created with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: set[str] = set()

    def write(self, tensors: Mapping[str, Tensor]) -> None:
        """Write the tensors that are not on disk yet; each is complete before the next begins."""
        for name in sorted(tensors.keys() - self._written):
            self._folder.mkdir(exist_ok=True)
            value = tensors[name].detach().cpu().contiguous()
            write_bytes_atomic(self._path(name), save_tensors({_VALUE: value}))
            self._written.add(name)

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all others."""
        if not self._folder.exists():
            return
        kept = {self._path(name).name for name in names}
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink()
        self._written &= set(names)

    def read(self, names: Collection[str]) -> dict[str, Tensor]:
        """Return tensors that an earlier run wrote.

        Raises:
            OSError, SafetensorError: one is missing or damaged.
            ValueError: a name is not one that `write` would have written.
        """
        found: dict[str, Tensor] = {}
        for name in names:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is not the name of a tensor")
            with safe_open(self._path(name), framework="pt", device="cpu") as file:
                found[name] = torch.clone(file.get_tensor(_VALUE))
        self._written = set(found)
        return found

    def remove(self) -> None:
        """Remove the folder."""
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._written = set()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"
