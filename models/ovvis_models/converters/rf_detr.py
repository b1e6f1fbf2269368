"""How to tell a published file of RF-DETR; the library itself knows its names (`networks/rf_detr.py`)."""

from collections.abc import Mapping
from typing import Final

from torch import Tensor

_MARK: Final = "enc_out_class_embed.0.weight"  # scores places of the map, in each layout of the library


def is_rf_detr(checkpoint: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of an RF-DETR."""
    return any(name.endswith(_MARK) for name in checkpoint)
