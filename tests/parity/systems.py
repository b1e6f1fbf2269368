"""The systems that fixtures exist of: how each is run, and its rows of final results."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ovvis_models.heads.closed_set import best_pairs, mask_quality
from ovvis_models.preprocess import logits_to_original
from tests.parity.comparison import NEAR_THRESHOLD, Found
from tests.parity.fixture import Fixture
from tests.parity.mask2former_arrays import NetworkRun, network_array, reorder, run_network

OurArray = Callable[[str], Found | None]


def run_mask2former(fixture: Fixture, dtype: torch.dtype) -> OurArray:
    """Run the network and its instance inference on the fixture's frame."""
    run = trace_network(fixture, dtype)
    final = _mask2former_results(fixture, run)
    return lambda name: final.get(name) or network_array(name, run)


def trace_network(fixture: Fixture, dtype: torch.dtype) -> NetworkRun:
    """Run the fixture's Mask2Former on all its frames.

    Where the fixture holds a frame after resizing, the network is given that: our resize is judged apart.
    """
    resized = fixture.resized()
    given = [
        torch.from_numpy(fixture.arrays.get(f"resized{frame}", pixels.numpy()))
        for frame, pixels in enumerate(resized)
    ]
    images = fixture.normalised(torch.stack(given))
    network = fixture.mask2former().to(dtype)
    with torch.inference_mode():
        return run_network(network, images, dtype=dtype, resized=resized)


def _mask2former_results(fixture: Fixture, run: NetworkRun) -> Mapping[str, Found]:
    """Return the listed instances of frame 0, in the fixture's order."""
    last = run.output.layers[-1]
    pairs = best_pairs(last.object_logits[0], num_pairs=fixture.case["inference"]["top_k"])
    logits = logits_to_original(last.mask_logits[0, pairs.query_index], fixture.geometry)
    quality = mask_quality(logits)
    order = kept_order(fixture, pairs.query_index, pairs.class_index)
    slack = quality_slack(logits).numpy()[order]
    return MappingProxyType(
        {
            "frames": Found(values=fixture.arrays["frames"]),
            "query_index": ordered(pairs.query_index, order),
            "labels": ordered(pairs.class_index, order),
            "class_scores": ordered(pairs.class_scores, order),
            "mask_quality": replace(ordered(quality, order), slack=slack),
            "scores": replace(ordered(pairs.class_scores * quality, order), slack=slack),
            "output_mask_logits": ordered(logits, order[::10]),
            "masks": mask_bits(logits, order),
        }
    )


def quality_slack(logits: Tensor) -> Tensor:
    """Return how far undecided pixels (half in, half out) can move the mean probability in each mask (N,)."""
    undecided = (logits.abs() <= NEAR_THRESHOLD).sum(dim=(-1, -2))
    return 0.5 * undecided / (logits > 0).sum(dim=(-1, -2)).clamp(min=1)


def kept_order(fixture: Fixture, query_index: Tensor, class_index: Tensor) -> np.ndarray:
    """Return for each listed instance of the fixture its place among ours, -1 if it is not among them."""
    reference = zip(fixture.arrays["query_index"].tolist(), fixture.arrays["labels"].tolist(), strict=True)
    ours = zip(query_index.tolist(), class_index.tolist(), strict=True)
    return reorder(list(reference), list(ours))


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


SYSTEMS: Mapping[str, Callable[[Fixture, torch.dtype], OurArray]] = MappingProxyType(
    {"mask2former": run_mask2former}
)
