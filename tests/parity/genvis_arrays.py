"""GenVIS of a fixture: networks, arrays after the frame queries, and our side of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ovvis_models.catalog import CATALOG
from ovvis_models.decoders.prototype_memory import PrototypeMemory
from ovvis_models.loading import LoadedModel, ready, segmenter_for
from ovvis_models.networks.genvis import GenVIS
from ovvis_models.preprocess import logits_to_input, logits_to_original
from ovvis_models.scoring.evidence import SlotEvidence, evidence_of
from ovvis_models.structures import FrameQueryWindow, ImageGeometry, WindowSlots
from ovvis_models.systems.genvis import GenVISSpec
from tests.parity.comparison import NEAR_THRESHOLD, Found
from tests.parity.fixture import Fixture, mask2former_spec
from tests.parity.mask2former_arrays import NetworkRun, as_found, network_array, run_network
from tests.parity.results import kept_order, mask_bits, ordered
from tests.parity.weights_by_name import weights_of_layout

TOKEN_STEP = 4  # every how many frame queries and window queries the fixture holds
QUERY_STEP = 2

OurArray = Callable[[str], Found | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _WindowTrace:
    """What one window computed, beside the slots that the product gives."""

    attention: Tensor  # (Q, M)
    read: Tensor  # (Q, C)
    query_in: Tensor  # (Q, C)
    query_out: Tensor  # (Q, C)
    prototypes: Tensor  # (Q, C)
    class_logits: Tensor  # (Q, K + 1)
    mask_embeds: Tensor  # (Q, C)
    memory_key: Tensor  # (Q, C)
    memory_value: Tensor  # (Q, C)


def run_genvis(fixture: Fixture, dtype: torch.dtype) -> OurArray:
    """Run the network on every frame, then the windows and the video's results."""
    spec = spec_of(fixture)
    network = ready(build(fixture, spec).to(dtype))
    with torch.inference_mode():
        smooth: list[Tensor] = []
        handle = network.proposals.pixel_decoder.smooth.register_forward_hook(
            lambda _m, _a, out: smooth.append(out.clone())
        )
        run = run_network(network.proposals, fixture.images(), dtype=dtype, resized=fixture.resized())
        handle.remove()
        windows = network.windows(
            run.output.layers[-1].query_embeds, network.pixel_proj(smooth[0]), shape=fixture.geometry
        )
        final = _frame_arrays(fixture, run, windows)
        final |= _window_arrays([*_trace(network, windows)])
        final |= _video_arrays(fixture, spec, network, windows)
    return lambda name: final.get(name) or network_array(name, run)


def spec_of(fixture: Fixture) -> GenVISSpec:
    """Return the catalog's spec with the numbers of the fixture."""
    model, spec = fixture.case["model"], CATALOG["genvis-r50-ytvis2019"]
    assert isinstance(spec, GenVISSpec)
    assert model["object_encoder_window"] == 0
    return replace(
        spec,
        window=fixture.case["inference"]["clip_length"],
        proposals=mask2former_spec(model, fixture.layout),
        proposal_input=fixture.image_input,
        window_decoder=replace(
            spec.window_decoder,
            num_queries=model["clip_queries"],
            encoder_layers=model["object_encoder_layers"],
            decoder_layers=model["object_decoder_layers"],
            ffn_dim=model["object_ffn"],
            num_classes=model["num_classes"],
        ),
    )


def build(fixture: Fixture, spec: GenVISSpec) -> GenVIS:
    """Return the network as an import of the fixture's checkpoint makes it."""
    weights = weights_of_layout(fixture.layout, gains=fixture.case["gain"])
    return spec.assemble({"genvis": (Path("model.pth"), weights)})


def _frame_arrays(
    fixture: Fixture, run: NetworkRun, windows: tuple[FrameQueryWindow, ...]
) -> dict[str, Found]:
    layers = run.output.layers
    tokens = torch.cat([window.frame_tokens for window in windows])  # (F, Q, C)
    embeds = windows[0].pixel_embeds[0]
    return {
        "frames": Found(values=fixture.arrays["frames"]),
        "frame0_layer_logits": as_found(torch.stack([layer.object_logits[0] for layer in layers])),
        "frame0_mask_logits": as_found(layers[-1].mask_logits[0]),
        "frame_logits": as_found(layers[-1].object_logits),
        "frame_queries": as_found(layers[-1].query_embeds),
        "clip_mask_features0": as_found(embeds[::8, ::2, ::2]),
        "object_encoder": as_found(tokens[:, ::TOKEN_STEP]),
    }


def _trace(network: GenVIS, windows: tuple[FrameQueryWindow, ...]) -> list[_WindowTrace]:
    """Run the window decoder step by step, as `PropagatedQueries` does in one."""
    decoder = network.window_decoder
    queries = decoder.first_queries(1)
    memory, traces = PrototypeMemory.empty(queries), []
    for window in windows:
        keys = decoder.query_key(queries)
        attention, read = memory.attention(keys), memory.read(keys)
        entering = decoder.with_memory(queries, memory)
        queries = decoder(entering, window.frame_tokens[None])[-1]
        heads = decoder.heads(queries)
        memory = decoder.remember(memory, heads.prototypes)
        traces.append(
            _WindowTrace(
                attention=attention[0],
                read=read[0],
                query_in=entering[0],
                query_out=queries[0],
                prototypes=heads.prototypes[0],
                class_logits=heads.class_logits[0],
                mask_embeds=heads.mask_embeds[0],
                memory_key=memory.keys[0, -1],
                memory_value=memory.values[0, -1],
            )
        )
    return traces


def _window_arrays(traces: list[_WindowTrace]) -> dict[str, Found]:
    count = len(traces)
    attention = [
        torch.nn.functional.pad(one.attention, (0, count - one.attention.shape[1])) for one in traces
    ]
    return {
        "memory_attention": as_found(torch.stack(attention)),
        "memory_read": as_found(torch.stack([one.read for one in traces])),
        "query_in": as_found(torch.stack([one.query_in[::QUERY_STEP] for one in traces])),
        "query_out": as_found(torch.stack([one.query_out[::QUERY_STEP] for one in traces])),
        "prototypes": as_found(torch.stack([one.prototypes for one in traces])),
        "memory_key_last": as_found(traces[-1].memory_key),
        "memory_value_last": as_found(traces[-1].memory_value),
        "clip_logits": as_found(torch.stack([one.class_logits for one in traces])),
        "clip_mask_embed": as_found(torch.stack([one.mask_embeds[::QUERY_STEP] for one in traces])),
    }


class _Classes:
    """All classes of the head, as evaluation asks for them."""

    def probabilities(self, tokens: Tensor) -> Tensor:
        return tokens.softmax(dim=-1)[:, :-1]


def _video_arrays(
    fixture: Fixture, spec: GenVISSpec, network: GenVIS, windows: tuple[FrameQueryWindow, ...]
) -> Mapping[str, Found]:
    """Return the listed results of the fixture's video, in the fixture's order."""
    slots = _follow(LoadedModel(spec=spec, network=network, weights_sha256=""), windows)
    evidence = [evidence_of(one, measured_at=spec.published.masks_measured_at) for one in slots]
    pairs = spec.published.scoring.score(
        lambda: evidence, _Classes(), num_pairs=fixture.case["inference"]["top_k"]
    )
    chosen, labels = pairs.slot_index, pairs.class_index
    class_scores = torch.stack([one.instance_tokens.softmax(dim=-1) for one in slots]).amax(dim=0)
    class_scores = class_scores[chosen, labels]
    order = kept_order(fixture, chosen, labels)
    small = torch.cat([one.mask_logits for one in slots]).transpose(0, 1)[chosen]  # (N, T, h, w)
    large = torch.stack([logits_to_original(track, fixture.geometry) for track in small])
    slack = _quality_slack(small, fixture.geometry)[order]
    quality = _quality(evidence)[chosen]
    return MappingProxyType(
        {
            "query_index": ordered(chosen, order),
            "labels": ordered(labels, order),
            "class_scores": ordered(class_scores, order),
            "mask_quality": Found(values=ordered(quality, order).values, slack=slack),
            "scores": Found(values=ordered(pairs.scores, order).values, slack=slack),
            "mask_logits": ordered(small, order),
            "masks": mask_bits(large, order),
        }
    )


def _follow(model: LoadedModel, windows: tuple[FrameQueryWindow, ...]) -> list[WindowSlots]:
    """Return the slots of every window as the product gives them; each state goes through its stored form."""
    segmenter, slots, first = segmenter_for(model, rules="published"), [], 0
    for window in windows:
        resumed = segmenter_for(model, rules="published")
        resumed.load_state_dict(segmenter.state_dict())
        last = first + len(window.frame_tokens)
        slots.append(resumed.step(window, range(first, last)).slots)
        segmenter, first = resumed, last
    return slots


def _quality(evidence: list[SlotEvidence]) -> Tensor:
    area = sum(one.mask_area.sum(dim=0) for one in evidence)
    confidence = sum(one.mask_confidence.sum(dim=0) for one in evidence)
    assert isinstance(area, Tensor) and isinstance(confidence, Tensor)
    return confidence / (area + 1e-6)


def _quality_slack(small: Tensor, geometry: ImageGeometry) -> np.ndarray:
    """Return how far undecided pixels of the resized frames can move the mean probability in each mask."""
    near = NEAR_THRESHOLD[str(small.dtype).removeprefix("torch.")]
    sized = torch.stack([logits_to_input(track, geometry) for track in small])
    undecided = (sized.abs() <= near).flatten(1).sum(dim=1)
    return np.asarray((0.5 * undecided / (sized > 0).flatten(1).sum(dim=1).clamp(min=1)).cpu().numpy())
