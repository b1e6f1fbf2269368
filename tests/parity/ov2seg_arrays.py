"""OV2Seg and OVFormer of a fixture: networks, arrays after the proposals, and our side of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from ovvis_models.blocks.decoder_output import DecoderOutput, LayerOutput, PixelFeatures
from ovvis_models.catalog import CATALOG
from ovvis_models.decoders.window_features import frames_of_window, window_features
from ovvis_models.loading import ready
from ovvis_models.networks.ov2seg import OV2Seg
from ovvis_models.networks.ovformer import OVFormerParts
from ovvis_models.preprocess import center_squares, logits_to_original
from ovvis_models.scoring.evidence import SlotEvidence
from ovvis_models.systems.ov2seg import LOGIT_SCALE, OV2SegSpec
from ovvis_models.systems.ovformer import OVFormerSpec
from ovvis_models.systems.spec import TrackerChoice
from ovvis_models.text.vocabulary_scores import class_logits, each_alone
from ovvis_models.trackers.assignment import FIXED_SLOTS
from ovvis_models.trackers.state import TrackState
from tests.parity.comparison import NEAR_THRESHOLD, Found
from tests.parity.fixture import Fixture, mask2former_spec
from tests.parity.mask2former_arrays import NetworkRun, as_found, network_array, run_network
from tests.parity.results import kept_order, mask_bits, ordered
from tests.parity.weights_by_name import weights_of_layout

CLIP = "clip."  # prefix of the CLIP that the authors' checkpoint does not hold
QUERY_STEP = 4
MASK_STEP = 20

OurArray = Callable[[str], Found | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Queries in CLIP's space: of every window, and of every head of the first one."""

    projected: Tensor  # (N, Q, D)
    aligned: Tensor  # (N, Q, D)
    layers: Tensor  # (L + 1, Q, D) aligned, of the first window


def run_ov2seg(fixture: Fixture, dtype: torch.dtype) -> OurArray:
    """Run the network on every frame or window, then the association and the video's results."""
    spec = spec_of(fixture)
    network = ready(build(fixture, spec).to(dtype))
    window = fixture.case["inference"].get("clip_length")
    with torch.inference_mode():
        decode = None if window is None else _first_window(network, num_frames=window)
        run = run_network(
            network.proposals, fixture.images(), dtype=dtype, resized=fixture.resized(), forward=decode
        )
        last = _last_heads(run, window=window)
        final = _clip_arrays(fixture, network)
        naming = _naming(network, last, first=run.output, features=final.get("clip_features"))
        final |= _network_arrays(run, last, naming, window=window)
        final |= _video_arrays(fixture, spec, last, naming)
    return lambda name: final.get(name) or network_array(name, run)


def spec_of(fixture: Fixture) -> OV2SegSpec | OVFormerSpec:
    """Return the catalog's spec with the numbers of the fixture."""
    known = [name for name in CATALOG if fixture.case["fixture"].startswith(name)]
    spec = CATALOG[max(known, key=len)]
    assert isinstance(spec, OV2SegSpec | OVFormerSpec)
    numbers = mask2former_spec(fixture.case["model"], fixture.layout)
    assert fixture.case["model"]["temperature"] == LOGIT_SCALE
    return replace(
        spec,
        proposals=replace(numbers, num_classes=None, object_head_layers=spec.proposals.object_head_layers),
        proposal_input=fixture.image_input,
    )


def build(fixture: Fixture, spec: OV2SegSpec | OVFormerSpec) -> OV2Seg | OVFormerParts:
    """Return the network as an import of the fixture's checkpoints makes it."""
    weights = weights_of_layout(fixture.layout, gains=fixture.case["gain"])
    clip = {name.removeprefix(CLIP): x for name, x in weights.items() if name.startswith(CLIP)}
    theirs = {name: x for name, x in weights.items() if not name.startswith(CLIP)}
    if isinstance(spec, OV2SegSpec):
        return spec.assemble({"ov2seg": (Path("model.pth"), theirs)})
    return spec.assemble({"ovformer": (Path("model.pth"), theirs), "clip": (Path("clip.pt"), clip)})


def _first_window(network: OV2Seg | OVFormerParts, *, num_frames: int) -> Callable[[Tensor], DecoderOutput]:
    def decode(images: Tensor) -> DecoderOutput:
        parts = network.proposals
        features = parts.pixel_decoder(parts.backbone(images))
        output: DecoderOutput = parts.query_decoder(
            window_features(_frames(features, 0, num_frames), num_frames=num_frames)
        )
        return output

    return decode


def _frames(features: PixelFeatures, start: int, end: int) -> PixelFeatures:
    return replace(
        features,
        levels=tuple(level[start:end] for level in features.levels),
        pixel_embeds=features.pixel_embeds[start:end],
    )


def _last_heads(run: NetworkRun, *, window: int | None) -> list[LayerOutput]:
    """Return the heads after the last layer of every frame, or of every window, one by one."""
    num_frames = len(run.images)
    if window is None:
        last = run.output.layers[-1]
        return [
            replace(
                last,
                query_embeds=last.query_embeds[index, None],
                mask_logits=last.mask_logits[index, None],
                object_logits=last.object_logits[index, None],
            )
            for index in range(num_frames)
        ]
    heads = []
    for start in range(0, num_frames, window):
        end = min(start + window, num_frames)
        features = window_features(_frames(run.features, start, end), num_frames=end - start)
        heads.append(run.network.query_decoder.last(features))
    return heads


def _clip_arrays(fixture: Fixture, network: OV2Seg | OVFormerParts) -> dict[str, Found]:
    arrays = {
        "frames": Found(values=fixture.arrays["frames"]),
        "text_features": Found(values=fixture.arrays["text_features"]),
    }
    if isinstance(network, OV2Seg):
        return arrays
    blocks: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda _m, _a, out: blocks.append(out[0, 0].clone()))
        for block in network.frame_features.visual.transformer.resblocks
    ]
    features = network.frame_features(fixture.frames)
    for handle in handles:
        handle.remove()
    square = center_squares(fixture.frames[:1], side=network.frame_features.image_size)
    return arrays | {
        "clip_features": as_found(features),
        "clip_class_token_layers0": as_found(torch.stack(blocks)),
        "clip_input0": as_found(square[0].permute(1, 2, 0)),
    }


def _naming(
    network: OV2Seg | OVFormerParts,
    last: list[LayerOutput],
    *,
    first: DecoderOutput,
    features: Found | None,
) -> Naming:
    """Return the queries of each window in CLIP's space; `features` are those of all frames."""
    heads = torch.cat([layer.query_embeds[:1] for layer in first.layers])  # (L + 1, Q, C)
    queries = torch.cat([one.query_embeds for one in last])  # (N, Q, C)
    if isinstance(network, OV2Seg):
        projected = network.projection(queries)
        return Naming(projected=projected, aligned=projected, layers=network.projection(heads))
    assert features is not None, "OVFormer has a CLIP"
    by_window = torch.from_numpy(features.values).split(network.window)
    alignment = network.alignment
    aligned = [alignment(one.query_embeds, part[None]) for one, part in zip(last, by_window, strict=True)]
    return Naming(
        projected=alignment.projection(queries),
        aligned=torch.cat(aligned),
        layers=alignment(heads, by_window[0].expand(len(heads), -1, -1)),
    )


def _network_arrays(
    run: NetworkRun, last: list[LayerOutput], naming: Naming, *, window: int | None
) -> dict[str, Found]:
    """Return what every frame (or window) says, and every head of the first."""
    kind = "frame" if window is None else "clip"
    layers = run.output.layers
    arrays = {
        "layer_object_logits0": as_found(torch.stack([layer.object_logits[0] for layer in layers])),
        f"{kind}_queries": as_found(torch.cat([one.query_embeds for one in last])),
        f"{kind}_object_logits": as_found(torch.cat([one.object_logits for one in last])),
        f"{kind}_projected": as_found(naming.projected[:, ::QUERY_STEP]),
        f"{kind}_aligned": as_found(naming.aligned[:, ::QUERY_STEP]),
    }
    if window is None:
        return arrays
    masks = [frames_of_window(layer.mask_logits, num_frames=window)[0, 0] for layer in layers]
    level = run.features.levels[0]
    position = window_features(_frames(run.features, 0, window), num_frames=window).positions[0]
    grid = position.unflatten(0, (window, *level.shape[-2:]))  # (T, h, w, C)
    return arrays | {
        "mask_logits0": as_found(masks[-1]),
        "layer_mask_logits0": as_found(torch.stack([mask[::MASK_STEP] for mask in masks])),
        "position3d0_0": as_found(grid.permute(0, 3, 1, 2)),
    }


@dataclass(frozen=True, slots=True)
class _Classes:
    """The fixture's text features as columns, with the published zero column last."""

    text: Tensor  # (K, D), unit norm

    def logits(self, tokens: Tensor) -> Tensor:
        logits = class_logits(tokens, self.text, logit_scale=LOGIT_SCALE)
        return torch.cat([logits, torch.zeros_like(logits[..., :1])], dim=-1)

    def probabilities(self, tokens: Tensor) -> Tensor:
        return each_alone(class_logits(tokens, self.text, logit_scale=LOGIT_SCALE))


def _video_arrays(
    fixture: Fixture, spec: OV2SegSpec | OVFormerSpec, last: list[LayerOutput], naming: Naming
) -> Mapping[str, Found]:
    """Return tracks and listed results of the fixture's video, in the fixture's order."""
    queries = torch.cat([one.query_embeds for one in last])
    classes = _Classes(torch.from_numpy(fixture.arrays["text_features"]).to(queries.dtype))
    tokens = F.normalize(naming.aligned, dim=-1)
    order, references = _follow(spec, queries)
    kind = "frame" if spec.window == 1 else "clip"
    places = order[..., None]
    matched = tokens.take_along_dim(places, dim=1)
    objects = torch.cat([one.object_logits for one in last]).take_along_dim(places, dim=1)
    masks = []
    for one, index in zip(last, order, strict=True):
        stacked = one.mask_logits
        num_frames = stacked.shape[2] // (fixture.geometry.padded_hw[0] // 4)
        masks.append(frames_of_window(stacked, num_frames=num_frames)[0][:, index])  # (T, Q, h, w)
    arrays = {
        "layer_logits0": as_found(classes.logits(F.normalize(naming.layers, dim=-1))),
        f"{kind}_logits": as_found(classes.logits(tokens)),
        "match_indices": as_found(order[1:]),
        "track_embeddings": as_found(torch.stack(references)[:, ::QUERY_STEP]),
        "video_logits": as_found(classes.logits(matched.mean(dim=0))),
        "video_object_logits": as_found(objects.mean(dim=0)),
    }
    return MappingProxyType(
        arrays | _results(fixture, spec, classes, tokens=matched, objects=objects, masks=masks)
    )


def _follow(spec: OV2SegSpec | OVFormerSpec, queries: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the query of each track in each window (N, Q), and what windows after the first met.

    Each state goes through its stored form.
    """
    choice = TrackerChoice(name=spec.published.tracker)
    tracker = spec.tracker(None, choice, FIXED_SLOTS)  # type: ignore[arg-type] # it has no weights
    state = TrackState.unseen(
        queries[0, :0],  # of the queries' type
        track_ids=torch.zeros(0, dtype=torch.long),
        hidden_dim=0,
        num_frames=0,
        next_track_id=1,
    )
    orders, references = [], []
    for tokens in queries:
        state, track_ids = tracker.step(state, tokens, torch.ones(tokens.shape[0]))
        orders.append(track_ids.argsort())
        references.append(state.expected_tokens)
        state = TrackState.from_tensors(state.to_tensors())
    return torch.stack(orders), references[:-1]


def _results(
    fixture: Fixture,
    spec: OV2SegSpec | OVFormerSpec,
    classes: _Classes,
    *,
    tokens: Tensor,
    objects: Tensor,
    masks: list[Tensor],
) -> dict[str, Found]:
    object_logits = objects[..., 0] - objects[..., 1]
    evidence = [_evidence(*parts) for parts in zip(tokens, object_logits, masks, strict=True)]
    pairs = spec.published.scoring.score(
        lambda: evidence, classes, num_pairs=fixture.case["inference"]["top_k"]
    )
    slots, labels = pairs.slot_index, pairs.class_index
    probs = classes.probabilities(tokens.mean(dim=0))[slots, labels]
    class_scores = (probs * objects.mean(dim=0).softmax(dim=-1)[slots, 0]).sqrt()
    order = kept_order(fixture, slots, labels)
    small = torch.cat(masks).transpose(0, 1)[slots]  # (N, T, h, w)
    small = torch.where(pairs.absent[..., None, None], -1.0, small)
    large = torch.stack([logits_to_original(track, fixture.geometry) for track in small])
    undecided = (small.abs() <= NEAR_THRESHOLD[str(small.dtype).removeprefix("torch.")]).flatten(1).sum(dim=1)
    slack = (0.5 * undecided / (small > 0).flatten(1).sum(dim=1).clamp(min=1)).cpu().numpy()[order]
    return {
        "query_index": ordered(slots, order),
        "labels": ordered(labels, order),
        "class_scores": ordered(class_scores, order),
        "ignored": ordered(pairs.absent.to(torch.int8), order),
        "mask_logits": ordered(small, order),
        "mask_quality": Found(values=ordered(pairs.scores / class_scores, order).values, slack=slack),
        "scores": Found(values=ordered(pairs.scores, order).values, slack=slack),
        "masks": mask_bits(large, order),
    }


def _evidence(tokens: Tensor, object_logits: Tensor, masks: Tensor) -> SlotEvidence:
    inside = (masks > 0).to(masks.dtype)
    return SlotEvidence(
        object_scores=object_logits.sigmoid(),
        object_logits=object_logits,
        instance_tokens=tokens,
        mask_quality=None,
        mask_area=inside.sum(dim=(-1, -2)),
        mask_confidence=(masks.sigmoid() * inside).sum(dim=(-1, -2)),
    )
