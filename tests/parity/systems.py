"""The systems that fixtures exist of: how each is run, and its rows of final results."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ovvis_models.heads.closed_set import best_pairs, mask_quality
from ovvis_models.preprocess import logits_to_original
from tests.parity.comparison import Found
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

    A frame whose exact input is in the fixture is given that, so that preprocessing and network are judged apart.
    """
    ours = fixture.images()
    height, width = fixture.geometry.resized_hw
    settings = fixture.case["preprocessing"]
    mean, std = (ours.new_tensor(settings[key])[:, None, None] for key in ("pixel_mean", "pixel_std"))
    pixels = (ours * std + mean).round().to(torch.uint8)[..., :height, :width]
    images = ours.clone()
    for frame in range(images.shape[0]):
        if f"image{frame}" in fixture.arrays:
            images[frame] = torch.from_numpy(fixture.arrays[f"image{frame}"])
    network = fixture.mask2former().to(dtype)
    with torch.inference_mode():
        return run_network(network, images.to(dtype), our_images=ours, pixels=pixels)


def _mask2former_results(fixture: Fixture, run: NetworkRun) -> Mapping[str, Found]:
    """Return the listed instances of frame 0, in the fixture's order."""
    last = run.output.layers[-1]
    pairs = best_pairs(last.object_logits[0], num_pairs=fixture.case["inference"]["top_k"])
    logits = logits_to_original(last.mask_logits[0, pairs.query_index], fixture.geometry)
    quality = mask_quality(logits)
    order = kept_order(fixture, pairs.query_index, pairs.class_index)
    return MappingProxyType(
        {
            "frames": Found(values=fixture.arrays["frames"]),
            "query_index": ordered(pairs.query_index, order),
            "labels": ordered(pairs.class_index, order),
            "class_scores": ordered(pairs.class_scores, order),
            "mask_quality": ordered(quality, order),
            "scores": ordered(pairs.class_scores * quality, order),
            "output_mask_logits": ordered(logits, order[::10]),
            "masks": mask_bits(logits, order),
        }
    )


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
