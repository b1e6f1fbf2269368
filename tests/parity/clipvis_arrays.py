"""CLIP-VIS of a fixture: its network, its arrays after the proposals, and our side of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ovvis_models.backbones.clip_maps import clip_maps
from ovvis_models.converters.clip_vis import split, with_counters, without_backbone
from ovvis_models.converters.mask2former import from_detectron2
from ovvis_models.heads.mask_pooling import MaskedMeanPool, inside_at, mask_pooling
from ovvis_models.networks.clip import (
    CONVNEXT_BASE_W_320,
    ClipSpec,
    ResNetVisionSpec,
    TextSpec,
    build_clip,
    tokenize,
)
from ovvis_models.networks.clip_vis import ClipVis
from ovvis_models.networks.mask2former import Mask2FormerSpec, build_mask2former
from ovvis_models.preprocess import logits_to_original
from ovvis_models.scoring.clip_vis import ClipVisScoring, frame_scores, video_scores, weighted_classes
from ovvis_models.scoring.evidence import SlotEvidence
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.prompts import fill
from ovvis_models.text.vocabulary_scores import class_logits
from ovvis_models.trackers.assignment import FIXED_SLOTS, cosines
from ovvis_models.trackers.state import TrackState
from ovvis_models.trackers.top_k import TopKTracker
from tests.parity.comparison import NEAR_THRESHOLD, Found
from tests.parity.fixture import NUM_POINTS, Fixture, _num_blocks
from tests.parity.mask2former_arrays import NetworkRun, as_found, network_array
from tests.parity.results import kept_order, mask_bits, ordered
from tests.parity.weights_by_name import weights_of_layout

VISUAL, TEXT = "backbone.clip_model.visual.", "backbone.clip_model."
HEAD_WIDTH = 64
TRACK_STEP = 4
PROMPT_STEP = 7
SHOWN_TOKENS = 16
"""As published: every query of the first frame is a track, and every track goes on in every frame."""
CLIP_THINNING = {2: (8, 4), 3: (8, 2), 4: (16, 1), 5: (8, 1)}


def clip_spec(layout: Mapping[str, Mapping[str, Any]]) -> ClipSpec:
    """Return the numbers of a fixture's CLIP, counted in its layout."""
    if f"{VISUAL}trunk.stem.0.weight" in layout:
        return CONVNEXT_BASE_W_320
    context, width = layout[f"{TEXT}positional_embedding"]["shape"]
    blocks = f"{TEXT}transformer.resblocks.{{1}}.ln_1.weight"
    positions = layout[f"{VISUAL}attnpool.positional_embedding"]["shape"][0]
    return ClipSpec(
        embed_dim=layout[f"{TEXT}text_projection"]["shape"][1],
        vision=ResNetVisionSpec(
            image_size=32 * round((positions - 1) ** 0.5),
            width=layout[f"{VISUAL}conv3.weight"]["shape"][0],
            layers=_num_blocks(layout, VISUAL + "layer{}.{}.conv1.weight", stages=(1, 2, 3, 4)),
            head_width=HEAD_WIDTH,
        ),
        text=TextSpec(
            context_length=context,
            vocab_size=layout[f"{TEXT}token_embedding.weight"]["shape"][0],
            width=width,
            heads=width // HEAD_WIDTH,
            layers=_num_blocks(layout, blocks, stages=(0,))[0],
        ),
        quick_gelu=True,
    )


def build_clip_vis(fixture: Fixture) -> ClipVis:
    """Return the network with the fixture's weights, float32, in evaluation mode."""
    model = fixture.case["model"]
    spec = Mask2FormerSpec(
        backbone=None,
        width=model["hidden_dim"],
        num_heads=model["heads"],
        encoder_layers=model["pixel_decoder_layers"],
        encoder_ffn_dim=model["pixel_decoder_ffn"],
        num_points=NUM_POINTS,
        decoder_layers=model["decoder_layers"],
        decoder_ffn_dim=model["decoder_ffn"],
        queries="learned",
        num_queries=model["queries"],
        num_classes=None,
        object_head_layers=3,
        predicts_quality=True,
    )
    parts = split(weights_of_layout(fixture.layout, gains=fixture.case["gain"]))
    clip = build_clip(clip_spec(fixture.layout))
    clip.load_state_dict(with_counters(parts.clip, clip.state_dict()))
    network = ClipVis(
        proposals=build_mask2former(spec, backbone=clip_maps(clip.visual)),
        pooling=mask_pooling(clip.visual),
        text_encoder=TextEncoder(clip),
        image_input=fixture.image_input,
    )
    decoders = from_detectron2(parts.decoders, without_backbone(network.proposals.state_dict()))
    network.proposals.load_state_dict(decoders, strict=False)  # the backbone has its weights
    return network.eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What the tracker did with the queries of all frames."""

    query_of_track: Tensor  # (T, Q)
    memory_costs: np.ndarray  # (T - 1, M), -1 where there is no such frame in memory
    selected: np.ndarray  # (T - 1, K), absolute frames, -1 where unused
    slot_permutations: np.ndarray  # (T - 1, M, Q)
    last_costs: Tensor  # (Q, tracks)


def match_frames(queries: Tensor, *, num_frames: int, num_chosen: int) -> Matching:
    """Run the tracker over the frames' queries, each state through its stored form."""
    tracker = TopKTracker(FIXED_SLOTS, num_frames=num_frames, num_chosen=num_chosen)
    state = TrackState.unseen(
        queries[0, :0],  # of the queries' type
        track_ids=torch.zeros(0, dtype=torch.long),
        hidden_dim=0,
        num_frames=num_frames,
        next_track_id=1,
    )
    count, num_queries = queries.shape[:2]
    costs = np.full((count - 1, num_frames), -1.0)
    selected = np.full((count - 1, num_chosen), -1)
    permutations = np.full((count - 1, num_frames, num_queries), -1)
    orders, last = [], queries.new_zeros(0)
    for frame, tokens in enumerate(queries):
        if frame:
            depth = min(frame, num_frames)
            memory = state.memory[:, -depth:].transpose(0, 1)
            alike, seen = cosines(memory, tokens), state.remembered[:, -depth:].T
            assert seen.all()
            chosen = tracker.choose(alike, seen)
            selected[frame - 1, : len(chosen)] = (chosen + frame - depth).cpu().numpy()
            for slot in range(depth):
                track_of, value = tracker.assignment(alike[slot])
                costs[frame - 1, slot] = num_queries * 2 - value  # 1 - cosine, from cosine + 1
                permutations[frame - 1, slot] = track_of
            weights = (chosen + 1).to(alike.dtype)
            mean = tracker.similarity(state, tokens)
            last = (1 - mean.T) * weights.mean()
        state = TrackState.from_tensors(state.to_tensors())
        state, track_ids = tracker.step(state, tokens, tokens.new_ones(num_queries))
        orders.append(track_ids.argsort())
    return Matching(
        query_of_track=torch.stack(orders),
        memory_costs=costs,
        selected=selected,
        slot_permutations=permutations,
        last_costs=last,
    )


def clipvis_arrays(fixture: Fixture, network: ClipVis, run: NetworkRun) -> Mapping[str, Found]:
    """Return text, tracks and listed results of the fixture's video, in the fixture's order."""
    settings = fixture.case["inference"]
    last = run.output.layers[-1]
    matching = match_frames(
        last.query_embeds, num_frames=settings["memory_frames"], num_chosen=settings["top_k_frames"]
    )
    order = matching.query_of_track
    masks, quality, logits = (
        torch.stack([frame[index] for frame, index in zip(values, order, strict=True)])
        for values in (last.mask_logits, last.quality_logits.sigmoid(), last.object_logits)
    )  # (T, track, ...)
    dense = run.backbone[-1]
    inside = inside_at(masks, hw=(dense.shape[2], dense.shape[3]))
    pooled = network.pooling(dense, inside)
    text = _text(fixture, network)
    tokens = torch.nn.functional.normalize(pooled, dim=-1)
    synonyms = class_logits(tokens, text["text_features"], logit_scale=text["logit_scale"])
    counts = fixture.case["text"]["num_templates"]
    frame_logits = torch.stack([part.amax(dim=-1) for part in synonyms.split(counts, dim=-1)], dim=-1)
    return MappingProxyType(
        {
            "frames": Found(values=fixture.arrays["frames"]),
            "frame_queries": as_found(last.query_embeds),
            "frame_object_logits": as_found(last.object_logits),
            "frame_ious": as_found(last.quality_logits.sigmoid()),
            "pool_cells": as_found(inside.sum(dim=(-1, -2))),
            "pooled_features": as_found(pooled[:, ::TRACK_STEP]),
            "frame_class_logits": as_found(frame_logits),
            "track_ious": as_found(quality.T),
            "video_object_logits": as_found(logits.mean(dim=0)),
            **{name: as_found(value) for name, value in text.items()},
            **_pooled_mean(network, dense, inside),
            **_matching_arrays(fixture, last.query_embeds, matching),
            **_results(fixture, masks, quality=quality, logits=logits, probs=frame_logits.softmax(dim=-1)),
        }
    )


def _text(fixture: Fixture, network: ClipVis) -> dict[str, Tensor]:
    """Return tokens and features of every prompt, and the features of every synonym."""
    described = fixture.case["text"]
    names = [part.strip() for name in described["class_names"] for part in name.split(",")]
    encoder = network.text_encoder
    prompts = [fill(template, name) for name in names for template in described["templates"]]
    tokens = tokenize(prompts, context_length=encoder.context_length)
    features: list[Tensor] = []
    hook = encoder.ln_final.register_forward_hook(
        lambda _m, _a, out: features.append(out @ encoder.text_projection)
    )
    embeds = encoder(tokens[:, : int(tokens.argmax(dim=1).max()) + 1])  # what follows the end changes nothing
    hook.remove()
    mean = embeds.unflatten(0, (len(names), -1)).mean(dim=1)
    return {
        "prompt_tokens": tokens[:, :SHOWN_TOKENS],
        "prompt_features": features[0][::PROMPT_STEP],
        "text_features": torch.nn.functional.normalize(mean, dim=-1),
        "logit_scale": encoder.logit_scale.exp().clamp(max=100.0)[None],
    }


def _pooled_mean(network: ClipVis, dense: Tensor, inside: Tensor) -> dict[str, Found]:
    """Return what a mean pool has before its norm."""
    if not isinstance(network.pooling, MaskedMeanPool):
        return {}
    means: list[Tensor] = []
    hook = network.pooling.norm.register_forward_pre_hook(lambda _m, args: means.append(args[0]))
    network.pooling(dense, inside)
    hook.remove()
    mean = means[0].flatten(1).unflatten(0, inside.shape[:2])
    return {"pooled_dense": as_found(mean[:, ::TRACK_STEP, ::8])}


def _matching_arrays(fixture: Fixture, queries: Tensor, main: Matching) -> dict[str, Found]:
    """Return the arrays of the main matching and of every other setting that the fixture names."""
    arrays = {
        "match_indices": as_found(main.query_of_track[1:]),
        "match_memory_costs": Found(values=main.memory_costs),
        "match_selected": Found(values=main.selected),
        "match_slot_permutations": Found(values=main.slot_permutations),
        "match_cost_last": as_found(main.last_costs),
    }
    for name in fixture.arrays:
        setting = re.fullmatch(r"match_indices(_t(\d+)_k(\d+))", name)
        if setting:
            end = setting[1]
            other = match_frames(queries, num_frames=int(setting[2]), num_chosen=int(setting[3]))
            arrays[f"match_indices{end}"] = as_found(other.query_of_track[1:])
            arrays[f"match_selected{end}"] = Found(values=other.selected)
            arrays[f"match_memory_costs{end}"] = Found(values=other.memory_costs)
    return arrays


def _results(
    fixture: Fixture, masks: Tensor, *, quality: Tensor, logits: Tensor, probs: Tensor
) -> dict[str, Found]:
    object_logits = logits[..., 0] - logits[..., 1]
    weighted = weighted_classes(probs, quality).mean(dim=0)
    scores = video_scores(weighted, object_logits.mean(dim=0))
    evidence = [_evidence(*parts) for parts in zip(masks, object_logits, quality, probs, strict=True)]
    pairs = ClipVisScoring().score(
        lambda: evidence, _KnownProbabilities(), num_pairs=fixture.case["inference"]["top_k"]
    )
    slots, classes = pairs.slot_index, pairs.class_index
    class_scores = scores[slots, classes]
    by_frame = frame_scores(probs[:, slots, classes], object_logits[:, slots]).T
    order = kept_order(fixture, slots, classes)
    small = torch.where(pairs.absent[..., None, None], -1.0, masks[:, slots].transpose(0, 1))
    large = torch.stack([logits_to_original(track, fixture.geometry) for track in small])
    undecided = (small.abs() <= NEAR_THRESHOLD[str(small.dtype).removeprefix("torch.")]).flatten(1).sum(dim=1)
    slack = (0.5 * undecided / (small > 0).flatten(1).sum(dim=1).clamp(min=1)).cpu().numpy()[order]
    tracks = slots.unique()
    return {
        "weighted_class_scores": as_found(weighted),
        "final_class_scores": as_found(scores),
        "query_index": ordered(slots, order),
        "labels": ordered(classes, order),
        "class_scores": ordered(class_scores, order),
        "per_frame_scores": ordered(by_frame, order),
        "ignored": ordered(pairs.absent.to(torch.int8), order),
        "mask_tracks": as_found(tracks),
        "mask_logits": as_found(masks[:, tracks].transpose(0, 1)),
        "mask_quality": Found(values=ordered(pairs.scores / class_scores, order).values, slack=slack),
        "scores": Found(values=ordered(pairs.scores, order).values, slack=slack),
        "masks": mask_bits(large, order),
    }


class _KnownProbabilities:
    """Takes class probabilities that stand in for tokens."""

    def probabilities(self, tokens: Tensor) -> Tensor:
        """Return them."""
        return tokens


def _evidence(masks: Tensor, object_logits: Tensor, quality: Tensor, probs: Tensor) -> SlotEvidence:
    inside = (masks > 0).to(masks.dtype)
    return SlotEvidence(
        object_scores=object_logits.sigmoid(),
        object_logits=object_logits,
        instance_tokens=probs,
        mask_quality=quality,
        mask_area=inside.sum(dim=(-1, -2))[None],
        mask_confidence=(masks.sigmoid() * inside).sum(dim=(-1, -2))[None],
    )


def stem_end(network: ClipVis) -> torch.nn.Module:
    """Return what gives the fixture's stem: the last norm, or what stands before a pool."""
    stem = network.proposals.backbone.stem
    return stem[-2] if isinstance(stem[-1], torch.nn.AvgPool2d) else stem


def clipvis_network_array(name: str, run: NetworkRun, *, stem: Tensor) -> Found | None:
    """Return our side of an array of the network: those of every Mask2Former, and of CLIP's tower."""
    tower = re.fullmatch(r"clip(\d+)_(stem|res(\d))", name)
    if tower:
        frame = int(tower[1])
        if tower[2] == "stem":
            return as_found(stem[frame, ::8, ::4, ::4])
        channels, places = CLIP_THINNING[int(tower[3])]
        return as_found(run.backbone[int(tower[3]) - 2][frame, ::channels, ::places, ::places])
    layers = run.output.layers
    if name == "layer_object_logits0":
        return as_found(torch.stack([layer.object_logits[0] for layer in layers]))
    if name == "layer_ious0":
        return as_found(torch.stack([layer.quality_logits[0].sigmoid() for layer in layers]))
    return network_array(name, run)
