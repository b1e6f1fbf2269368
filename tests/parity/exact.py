"""Convolutions with less rounding, for comparisons in single precision.

The masked attention of the fixtures has logits within 2e-5 of its threshold. The convolutions of oneDNN, that
torch uses on a CPU, move them by up to 8e-5; those of torch itself by 2e-5.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Do without oneDNN while the body runs."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before
