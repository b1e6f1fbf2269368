"""A small RF-DETR, and the library that implements it: the tests of it are skipped without the library."""

import pytest

from ovvis_models.errors import MissingPackageError
from ovvis_models.networks.rf_detr import RfDetrSpec

SMALL = RfDetrSpec(
    image_size=96,
    num_windows=2,
    width=32,
    num_queries=5,
    decoder_layers=2,
    backbone_width=24,
    backbone_layers=4,
    backbone_heads=2,
    map_layers=(2, 4),
    self_heads=2,
    cross_heads=4,
    ffn_dim=16,
    num_classes=7,
    query_groups=3,
)


def require_library():
    """Skip a test where the extra `rfdetr` is not installed."""
    try:
        SMALL.require_packages()
    except MissingPackageError as error:
        pytest.skip(f"{error}")


def random_network(torch, seed):
    """Return SMALL with weights that all matter: fresh ones are zero in places."""
    torch.manual_seed(seed)
    network = SMALL.build().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network
