"""Class embeddings that are stored with a model's weights, for class names that were known at its import."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from jaxtyping import Float
from torch import Tensor

_ROWS: Final = "class_embeddings"  # name of the tensor
_NAMES: Final = "class_names"  # metadata field: a JSON list


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEmbeddings:
    """One embedding for each of K class names, of no particular length."""

    names: tuple[str, ...]
    rows: Float[Tensor, "K D"]

    def to_file(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Return the tensors and metadata that a weights file holds of them."""
        return {_ROWS: self.rows}, {_NAMES: json.dumps(self.names)}

    @classmethod
    def from_file(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Self | None:
        """Return the embeddings in the content of a weights file, or None if it has none.

        Raises:
            ValueError: it does not have a name for each row.
        """
        if _ROWS not in tensors:
            return None
        names, rows = stored_names(metadata), tensors[_ROWS]
        if rows.ndim != 2 or len(names) != len(rows):
            raise ValueError(f"{len(names)} class names for class embeddings of shape {tuple(rows.shape)}")
        return cls(names=names, rows=rows.float())


def stored_names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the class names in the metadata of a weights file, in the order of their rows.

    Raises:
        ValueError: the list of names is damaged.
    """
    names = json.loads(metadata.get(_NAMES, "[]"))
    if not isinstance(names, list):
        raise ValueError("the class names are not a list")
    return tuple(str(name) for name in names)


def without_class_embeddings(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the networks alone."""
    return {name: tensor for name, tensor in tensors.items() if name != _ROWS}
