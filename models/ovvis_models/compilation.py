"""Networks compiled for the machine that they run on, by torch.compile."""

from typing import Final

import torch
from torch import nn

from ovvis_models.catalog import Network
from ovvis_models.networks.instformer import InstFormer

MAX_INPUT_SIZES: Final = 64  # each is compiled for by itself; torch gives up after 8 if it is not told


def compile_networks(network: Network) -> None:
    """Lets the costly parts of `network` be compiled when they first run, once for every size of their input.

    Values differ in the last digits. Weights become part of the code: the network cannot be trained or moved.
    """
    torch._dynamo.config.recompile_limit = MAX_INPUT_SIZES
    network.requires_grad_(requires_grad=False)
    for part in _costly_parts(network):
        # not the module itself: hooks, which measure, stay outside
        part.forward = torch.compile(part.forward, dynamic=False, options={"freezing": True})  # type: ignore[method-assign]


def _costly_parts(network: Network) -> list[nn.Module]:
    parts: list[nn.Module] = [network.proposals.backbone, network.proposals.pixel_decoder]
    if isinstance(network, InstFormer) and isinstance(network.instance_encoder, nn.Module):
        parts.append(network.instance_encoder)
    return parts
