"""Fixtures shared by several folders."""

from typing import TYPE_CHECKING

import pytest

from tests.published_site import home, ovvis, site

if TYPE_CHECKING:
    from open_clip.model import CLIP

__all__ = ["home", "ovvis", "site"]


@pytest.fixture(scope="module")
def clip() -> "CLIP":
    """A small CLIP with random weights; not to be changed."""
    from tests.small_clip import SMALL, lively_clip

    return lively_clip(SMALL)


@pytest.fixture(scope="module")
def tiny_clip() -> "CLIP":
    """A CLIP of the size in instformer-tiny, with random weights; not to be changed."""
    from ovvis_models.networks.clip import VIT_TINY_16
    from tests.small_clip import lively_clip

    return lively_clip(VIT_TINY_16)
