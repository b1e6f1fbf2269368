"""Listed results: a fixture's and ours hold the same (query, class) pairs in orders of their own."""

import numpy as np
from torch import Tensor

from tests.parity.comparison import Found
from tests.parity.fixture import Fixture


def kept_order(fixture: Fixture, query_index: Tensor, class_index: Tensor) -> np.ndarray:
    """Return for each listed instance of the fixture its place among ours, -1 if it is not among them."""
    ours = zip(query_index.tolist(), class_index.tolist(), strict=True)
    places = {pair: place for place, pair in enumerate(ours)}
    reference = zip(fixture.arrays["query_index"].tolist(), fixture.arrays["labels"].tolist(), strict=True)
    return np.array([places.get(pair, -1) for pair in reference], dtype=np.int64)


def ordered(tensor: Tensor, order: np.ndarray) -> Found:
    """Return our values in the fixture's order; what we did not keep is NaN, or -1 for whole numbers."""
    values = tensor.cpu().numpy()[order]
    values[order < 0] = np.nan if values.dtype.kind == "f" else -1
    return Found(values=values)


def mask_bits(logits: Tensor, order: np.ndarray) -> Found:
    """Return masks (N, places) in the fixture's order; a mask that we did not keep has no margin at all."""
    flat = logits.flatten(1).cpu().numpy()[order]
    margin = np.abs(flat)
    margin[order < 0] = np.inf
    return Found(values=flat > 0, margin=margin)
