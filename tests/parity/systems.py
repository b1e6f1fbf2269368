"""The systems that fixtures exist of: how each is run, and its rows of final results."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ovvis_models.backbones.folding import fold_norms
from ovvis_models.heads.closed_set import best_pairs, mask_quality
from ovvis_models.loading import ready
from ovvis_models.preprocess import logits_to_original
from tests.parity.clipvis_arrays import build_clip_vis, clipvis_arrays, clipvis_network_array, stem_end
from tests.parity.comparison import NEAR_THRESHOLD, Found
from tests.parity.fixture import Fixture
from tests.parity.genvis_arrays import run_genvis
from tests.parity.mask2former_arrays import NetworkRun, network_array, run_network
from tests.parity.minvis_arrays import minvis_arrays
from tests.parity.ov2seg_arrays import run_ov2seg
from tests.parity.results import kept_order, mask_bits, ordered

OurArray = Callable[[str], Found | None]


def run_mask2former(fixture: Fixture, dtype: torch.dtype) -> OurArray:
    """Run the network and its instance inference on the fixture's frame."""
    run = trace_network(fixture, dtype)
    final = _mask2former_results(fixture, run)
    return lambda name: final.get(name) or network_array(name, run)


def run_minvis(fixture: Fixture, dtype: torch.dtype) -> OurArray:
    """Run the network on every frame, then the association and the video's results."""
    run = trace_network(fixture, dtype)
    final = minvis_arrays(fixture, run)
    return lambda name: final.get(name) or network_array(name, run)


def run_clipvis(fixture: Fixture, dtype: torch.dtype) -> OurArray:
    """Run the network on every frame, then text, the association and the video's results."""
    network = ready(build_clip_vis(fixture).to(dtype))
    with torch.inference_mode():
        stems: list[Tensor] = []
        handle = stem_end(network).register_forward_hook(lambda _m, _a, out: stems.append(out.clone()))
        run = run_network(network.proposals, fixture.images(), dtype=dtype, resized=fixture.resized())
        handle.remove()
        final = clipvis_arrays(fixture, network, run)
    return lambda name: final.get(name) or clipvis_network_array(name, run, stem=stems[0])


def trace_network(fixture: Fixture, dtype: torch.dtype) -> NetworkRun:
    """Run the fixture's Mask2Former on all its frames, from their raw pixels."""
    network = fixture.mask2former().to(dtype)
    fold_norms(network.backbone)  # as it runs
    with torch.inference_mode():
        return run_network(network, fixture.images(), dtype=dtype, resized=fixture.resized())


def _mask2former_results(fixture: Fixture, run: NetworkRun) -> Mapping[str, Found]:
    """Return the listed instances of frame 0, in the fixture's order."""
    last = run.output.layers[-1]
    pairs = best_pairs(last.object_logits[0], num_pairs=fixture.case["inference"]["top_k"])
    logits = logits_to_original(last.mask_logits[0, pairs.query_index], fixture.geometry)
    quality = mask_quality(logits)
    order = kept_order(fixture, pairs.query_index, pairs.class_index)
    slack = quality_slack(logits)[order]
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


def quality_slack(logits: Tensor) -> np.ndarray:
    """Return how far undecided pixels (half in, half out) can move the mean probability in each mask (N,)."""
    values = logits.cpu().numpy()
    undecided = (np.abs(values) <= NEAR_THRESHOLD[values.dtype.name]).sum(axis=(-1, -2))
    return 0.5 * undecided / (values > 0).sum(axis=(-1, -2)).clip(min=1)


SYSTEMS: Mapping[str, Callable[[Fixture, torch.dtype], OurArray]] = MappingProxyType(
    {
        "clipvis": run_clipvis,
        "genvis": run_genvis,
        "mask2former": run_mask2former,
        "minvis": run_minvis,
        "ov2seg": run_ov2seg,
        "ovformer": run_ov2seg,
    }
)
