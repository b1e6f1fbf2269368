"""What the arrays of a Mask2Former network mean, how they are thinned, and our side of each.

One row of `NETWORK_ARRAYS` for every name; the number in a name is the frame. The same rows serve every
system that is a Mask2Former before its tracker.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovvis_models.blocks.decoder_output import DecoderOutput, PixelFeatures
from ovvis_models.blocks.deformable_attention import DeformableAttention, LevelShapes
from ovvis_models.decoders.pixel_decoder import pixel_centers
from ovvis_models.decoders.query_decoder import inside_masks, shrink_to
from ovvis_models.networks.mask2former import Mask2Former
from tests.parity.comparison import Found

NUM_LEVELS = 3
PROJECTION_THINNING = ((1, 1), (4, 1), (8, 2))  # channels, places; strides 32, 16, 8
BACKBONE_THINNING = {2: (16, 4), 3: (16, 2), 4: (16, 1), 5: (16, 1)}
LEVEL_THINNING = (1, 4, 16)  # channels


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRun:
    """Everything that one forward pass computed; lists hold one entry for each call of a module."""

    network: Mask2Former
    resized: Tensor  # (F, 3, h, w) our resized frames, uint8
    images: Tensor  # (F, 3, H, W) what the network was given, float32
    backbone: list[Tensor]
    projections: list[Tensor]
    offsets: Tensor
    attention_weights: Tensor  # before the softmax
    attention: Tensor
    encoder_layers: list[Tensor]
    features: PixelFeatures
    mask_embeds: list[Tensor]
    cross_layers: list[Tensor]
    self_layers: list[Tensor]
    decoder_layers: list[Tensor]
    allowed: list[Tensor]
    output: DecoderOutput
    heads: int
    points: int


def run_network(
    network: Mask2Former,
    images: Tensor,
    *,
    dtype: torch.dtype,
    resized: Tensor,
    forward: Callable[[Tensor], DecoderOutput] | None = None,
) -> NetworkRun:
    """Run the network on `images` in `dtype`, or `forward` of it, and keep what its modules return."""
    calls: dict[str, list[object]] = {}
    pixel, query = network.pixel_decoder, network.query_decoder
    first = pixel.layers[0].attention
    assert isinstance(first, DeformableAttention)
    watched: dict[str, list[nn.Module]] = {
        "backbone": [network.backbone],
        "projections": list(pixel.input_proj),
        "offsets": [first.sampling_offsets],
        "attention_weights": [first.attention_weights],
        "attention": [first],
        "encoder_layers": list(pixel.layers),
        "features": [pixel],
        "mask_embeds": [query.mask_embed],
        "cross_layers": [layer.cross_attention for layer in query.layers],
        "self_layers": [layer.self_attention for layer in query.layers],
        "decoder_layers": list(query.layers),
    }
    handles = [
        module.register_forward_hook(lambda _m, _a, out, name=name: calls.setdefault(name, []).append(out))
        for name, modules in watched.items()
        for module in modules
    ]
    handles += [
        layer.register_forward_pre_hook(
            lambda _m, _a, kwargs: calls.setdefault("allowed", []).append(kwargs["allowed"]),
            with_kwargs=True,
        )
        for layer in query.layers
    ]
    output = (forward or network)(images.to(dtype))
    for handle in handles:
        handle.remove()
    single = {name: calls.pop(name)[0] for name in ("backbone", "offsets", "attention_weights", "attention")}
    return NetworkRun(
        network=network,
        resized=resized,
        images=images,
        output=output,
        features=calls.pop("features")[0],
        heads=first.num_heads,
        points=first.num_points,
        **single,
        **calls,
    )


def as_found(tensor: Tensor) -> Found:
    """Return a tensor as it is."""
    return Found(values=tensor.detach().cpu().numpy())


def _thin(tensor: Tensor, channels: int, places: int) -> Found:
    return as_found(tensor[::channels, ::places, ::places])


def _backbone(run: NetworkRun, frame: int, stage: int) -> Found:
    return _thin(run.backbone[stage - 2][frame], *BACKBONE_THINNING[stage])


def _position(run: NetworkRun, frame: int, level: int) -> Found:
    height, width = run.features.levels[level].shape[-2:]
    return as_found(run.features.positions[level].T.unflatten(1, (height, width)))


def _reference_points(run: NetworkRun, frame: int, _: int) -> Found:
    shapes = LevelShapes(tuple((x.shape[2], x.shape[3]) for x in run.features.levels))
    centers = pixel_centers(shapes, like=run.features.pixel_embeds)
    return as_found(centers[:, None].expand(-1, NUM_LEVELS, -1))


def _encoder_offsets(run: NetworkRun, frame: int, _: int) -> Found:
    return as_found(run.offsets[frame, ::16].unflatten(-1, (run.heads, NUM_LEVELS, run.points, 2)))


def _encoder_weights(run: NetworkRun, frame: int, _: int) -> Found:
    weights = run.attention_weights[frame, ::16].unflatten(-1, (run.heads, -1)).softmax(dim=-1)
    return as_found(weights.unflatten(-1, (NUM_LEVELS, run.points)))


def _forbidden(run: NetworkRun, frame: int, layer: int) -> tuple[Tensor, Tensor]:
    """Return where a layer's queries may not look, before the all-masked rule, and |logit| there."""
    level = run.features.levels[layer % NUM_LEVELS]
    embeds = run.mask_embeds[layer]
    inside = inside_masks(embeds, shrink_to(run.features.pixel_embeds, level))[frame]
    shut = ~inside.any(dim=-1, keepdim=True)
    assert torch.equal(run.allowed[layer][frame], inside | shut), f"layer {layer} used another mask"
    logits = run.output.layers[layer].mask_logits[frame]
    resized = F.interpolate(logits[None], size=level.shape[-2:], mode="bilinear", align_corners=False)[0]
    return ~inside, resized.flatten(1).abs()


def _all_masked(run: NetworkRun, frame: int, _: int) -> Found:
    rows = [_forbidden(run, frame, layer)[0].all(dim=-1) for layer in range(len(run.decoder_layers))]
    return as_found(torch.stack(rows))


def _attention_mask(run: NetworkRun, frame: int, level: int) -> Found:
    layers = range(level, len(run.decoder_layers), NUM_LEVELS)
    forbidden, margins = zip(*(_forbidden(run, frame, layer) for layer in layers), strict=True)
    return Found(values=torch.stack(forbidden).cpu().numpy(), margin=torch.stack(margins).cpu().numpy())


def _layers(tensors: list[Tensor], frame: int, step: int) -> Found:
    return as_found(torch.stack([tensor[frame, ::step] for tensor in tensors]))


Row = Callable[[NetworkRun, int, int], Found]

NETWORK_ARRAYS: dict[str, Row] = {
    # name with the frame, and for some a level or stage -> our side
    r"resized(\d+)": lambda run, f, _: as_found(run.resized[f]),
    r"image(\d+)": lambda run, f, _: as_found(run.images[f]),
    r"backbone(\d+)_(?:res|layer)(\d)": _backbone,
    r"position(\d+)_(\d)": _position,
    r"input_proj(\d+)_(\d)": lambda run, f, level: _thin(
        run.projections[level][f], *PROJECTION_THINNING[level]
    ),
    r"reference_points(\d+)": _reference_points,
    r"encoder_offsets(\d+)": _encoder_offsets,
    r"encoder_weights(\d+)": _encoder_weights,
    r"encoder_attention(\d+)": lambda run, f, _: as_found(run.attention[f, ::8, ::8]),
    r"encoder_layers(\d+)": lambda run, f, _: as_found(
        torch.stack([tokens[f, ::8, ::8] for tokens in run.encoder_layers])
    ),
    r"multi_scale(\d+)_(\d)": lambda run, f, level: _thin(
        run.features.levels[level][f], LEVEL_THINNING[level], 1
    ),
    r"mask_features(\d+)": lambda run, f, _: _thin(run.features.pixel_embeds[f], 8, 2),
    r"cross_layers(\d+)": lambda run, f, _: _layers(run.cross_layers, f, 10),
    r"self_layers(\d+)": lambda run, f, _: _layers(run.self_layers, f, 10),
    r"decoder_layers(\d+)": lambda run, f, _: _layers(run.decoder_layers, f, 4),
    r"layer_logits(\d+)": lambda run, f, _: _layers([x.object_logits for x in run.output.layers], f, 1),
    r"mask_logits(\d+)": lambda run, f, _: as_found(run.output.layers[-1].mask_logits[f]),
    r"layer_mask_logits(\d+)": lambda run, f, _: _layers([x.mask_logits for x in run.output.layers], f, 20),
    r"all_masked(\d+)": _all_masked,
    r"attention_mask(\d+)_(\d)": _attention_mask,
}


def network_array(name: str, run: NetworkRun) -> Found | None:
    """Return our side of an array of the network, or None when the name is of no such array."""
    for pattern, row in NETWORK_ARRAYS.items():
        match = re.fullmatch(pattern, name)
        if match:
            frame, *rest = (int(group) for group in match.groups())
            return row(run, frame, rest[0] if rest else 0)
    return None
