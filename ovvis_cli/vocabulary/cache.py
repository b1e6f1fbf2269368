"""Disk cache of text embeddings, so that a second run with the same names starts faster.

There is one safetensors file per list of names. It is named by the hash of everything that the embeddings
depend on, so no entry ever becomes invalid. Files are written under a temporary name and renamed. Any error
of the cache is logged, and the embeddings are computed instead.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

_FORMAT = "1"  # part of the hash; increase it when the meaning of a stored row changes
_TENSOR = "class_embeds"
_MAX_FILES = 256
_UNIT_TOLERANCE = 1e-3

logger = logging.getLogger(__name__)


class TextCache:
    """Cache of class embeddings in `folder`, by default in the user's cache directory.

    The folder is created on the first write.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or platformdirs.user_cache_path("ovvis", appauthor=False) / "text"

    def load_or_encode(
        self,
        names: Sequence[str],
        *,
        templates: Sequence[str],
        weights_hash: str,
        encode: Callable[[Sequence[str]], Float[Tensor, "K D"]],
    ) -> Float[Tensor, "K D"]:
        """Return the embeddings of `names`, float32 on the CPU, from disk or from `encode(names)`.

        Newly encoded embeddings are written to disk.
        """
        path = (
            self.folder / f"{_content_key(names, templates=templates, weights_hash=weights_hash)}.safetensors"
        )
        stored = _read(path, num_names=len(names))
        if stored is not None:
            return stored
        embeds = encode(names).detach().float().cpu().contiguous()
        self._write(path, embeds)
        return embeds

    def _write(self, path: Path, embeds: Float[Tensor, "K D"]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=self.folder, suffix=".partial")
            os.close(handle)
            try:
                save_file({_TENSOR: embeds}, partial)
                Path(partial).replace(path)
            finally:
                Path(partial).unlink(missing_ok=True)
            self._remove_oldest()
        except (OSError, SafetensorError) as error:
            logger.warning("text embeddings are not cached: cannot write %s: %s", path, error)

    def _remove_oldest(self) -> None:
        files = sorted(self.folder.glob("*.safetensors"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[_MAX_FILES:]:
            file.unlink(missing_ok=True)


def hash_weights(module: nn.Module) -> str:
    """Return the hex digest of a module's state: names, shapes, types and values."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _content_key(names: Sequence[str], *, templates: Sequence[str], weights_hash: str) -> str:
    content = json.dumps([_FORMAT, weights_hash, list(templates), list(names)], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path, *, num_names: int) -> Float[Tensor, "K D"] | None:
    """Return the stored embeddings, or None if there are none or they are invalid."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            embeds: Tensor = file.get_tensor(_TENSOR)
    except (OSError, SafetensorError) as error:
        logger.warning("ignoring the damaged text cache %s: %s", path, error)
        return None
    fits = embeds.ndim == 2 and embeds.shape[0] == num_names and embeds.dtype == torch.float32
    if not fits or not bool(((embeds.norm(dim=-1) - 1).abs() < _UNIT_TOLERANCE).all()):
        logger.warning("ignoring the text cache %s: it does not hold %d unit vectors", path, num_names)
        return None
    return embeds
