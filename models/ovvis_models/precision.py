"""Storage of weights in the reduced precision that autocast computes in."""

from typing import Final

import torch
from torch import nn

BESIDE_ENCODE: Final = frozenset({"text_encoder", "tracker", "window_decoder", "mask_naming"})
"""Parts of a network that `encode` does not run; they stay in full precision."""

_AUTOCAST_MODULES: Final = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)


def round_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Convert the weights of linear, convolution and attention layers to `dtype`, for use with autocast.

    The results equal those of autocast to `dtype` alone, but the weights are not converted again for every
    batch. Norms, position embeddings and queries keep their precision, as do the parts in `BESIDE_ENCODE`.
    """
    for name, part in network.named_children():
        if name in BESIDE_ENCODE:
            continue
        for module in part.modules():
            if isinstance(module, _AUTOCAST_MODULES):
                module.to(dtype)
