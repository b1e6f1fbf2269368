"""Weights stored in the precision that products take them in."""

from typing import Final

import torch
from torch import nn

BESIDE_PREDICT: Final = frozenset({"text_encoder", "tracker"})
"""Parts of a network that `predict` does not run: they compute in full precision."""

_MULTIPLIED: Final = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)


def round_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Stores the weights of `predict`'s products in `dtype`, to be run under autocast to the same `dtype`.

    The results are those of autocast alone, which rounds the weights anew for every batch. Norms, positions
    and queries stay as they are.
    """
    for name, part in network.named_children():
        if name in BESIDE_PREDICT:
            continue
        for module in part.modules():
            if isinstance(module, _MULTIPLIED):
                module.to(dtype)
