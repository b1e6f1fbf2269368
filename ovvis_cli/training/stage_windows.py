"""The stage that trains GenVIS's networks over windows, with unified video label assignment.

Frames of a part of a stored video are drawn with replacement and put in order, or in reverse, as windows.
The windows go through the networks one after another, and gradients through queries and memory. Masks are
compared at random places of stride 8: the projection of the maps commutes with their resize.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ovvis_cli.diorama.scene import MAX_OBJECTS
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import WindowStage
from ovvis_cli.training.stored_videos import NO_OBJECT, SEED_SPACE, StoredVideo
from ovvis_models.decoders.prototype_memory import PrototypeMemory
from ovvis_models.decoders.window_decoder import WindowHeads
from ovvis_models.losses.matcher import CostWeights
from ovvis_models.losses.query_similarity import query_similarity_loss
from ovvis_models.losses.video_assignment import (
    UNBORN,
    WindowTargets,
    assign_alone,
    assign_window,
    unborn,
    uvla_costs,
)
from ovvis_models.losses.video_criterion import WindowLossWeights, window_losses
from ovvis_models.networks.genvis import GenVIS


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSample:
    """W windows of T frames of one video, or, stacked, of B videos (a first axis B)."""

    frame_queries: Float[Tensor, "*B W T Q C"]
    maps: Float[Tensor, "*B W P C"]  # at P places of all frames of a window
    masks: Float[Tensor, "*B W N P"]
    visible: Bool[Tensor, "*B W N"]
    object_of_query: Int[Tensor, "*B W T Q"]


class WindowTraining(nn.Module):
    """The trained parts of a GenVIS, and the embeddings of the similarity loss, which are not kept."""

    def __init__(self, network: GenVIS) -> None:
        super().__init__()
        self.object_encoder = network.object_encoder
        self.window_decoder = network.window_decoder
        self.pixel_proj = network.pixel_proj
        width = network.pixel_proj.out_channels
        self.frame_similarity = nn.Linear(width, width)
        self.window_similarity = nn.Linear(width, width)


def window_stage(
    settings: WindowStage,
    videos: list[StoredVideo],
    *,
    network: WindowTraining,
    window: int,
    device: torch.device,
) -> Stage[WindowSample, WindowSample]:
    """Return the stage, on videos from `store_videos`, with windows of `window` frames."""
    network = network.to(device)
    seed = settings.schedule.seed

    def draw(number: int) -> WindowSample:
        rng = np.random.default_rng([SEED_SPACE, seed, 1, number])
        video = videos[int(rng.integers(len(videos)))]
        return random_windows(video, rng, settings=settings, window=window)

    def losses(batch: WindowSample) -> dict[str, Tensor]:
        return video_losses(network, _on(device, batch), settings=settings)

    return Stage(
        name="windows",
        model=network,
        draw=draw,
        collate=stacked,
        losses=losses,
        schedule=settings.schedule,
    )


def random_windows(
    video: StoredVideo, rng: np.random.Generator, *, settings: WindowStage, window: int
) -> WindowSample:
    """Return windows of frames that were drawn with replacement from a part of the video."""
    length = int(rng.integers(2, len(video.maps) + 1))
    first = int(rng.integers(0, len(video.maps) - length + 1))
    frames = first + np.sort(rng.integers(0, length, settings.windows * window))
    if rng.random() < 0.5:
        frames = frames[::-1].copy()
    index = torch.from_numpy(frames).view(settings.windows, window)
    places = torch.from_numpy(
        np.stack(
            [
                rng.choice(window * video.maps[0, 0].numel(), settings.num_places, replace=False)
                for _ in range(settings.windows)
            ]
        )
    )
    missing = MAX_OBJECTS - video.masks.shape[1]
    masks = F.pad(video.masks[index], (0, 0, 0, 0, 0, missing))  # (W, T, N, h, w)
    return WindowSample(
        frame_queries=video.frame_queries[index],
        maps=_at(video.maps[index], places).transpose(1, 2),
        masks=_at(masks, places),
        visible=F.pad(video.visible[index].any(dim=1), (0, missing)),
        object_of_query=video.object_of_query[index],
    )


def _at(maps: Float[Tensor, "W T C h w"], places: Int[Tensor, "W P"]) -> Float[Tensor, "W C P"]:
    """Return the values at places of all frames of each window."""
    flat = maps.transpose(1, 2).flatten(2)  # (W, C, T h w)
    return flat.gather(2, places[:, None].expand(-1, flat.shape[1], -1))


def stacked(samples: list[WindowSample]) -> WindowSample:
    """Stack the windows of several videos."""
    return WindowSample(
        frame_queries=torch.stack([sample.frame_queries for sample in samples]).float(),
        maps=torch.stack([sample.maps for sample in samples]).float(),
        masks=torch.stack([sample.masks for sample in samples]).float(),
        visible=torch.stack([sample.visible for sample in samples]),
        object_of_query=torch.stack([sample.object_of_query for sample in samples]),
    )


def video_losses(network: WindowTraining, batch: WindowSample, *, settings: WindowStage) -> dict[str, Tensor]:
    """Return the losses of B videos: means over their windows."""
    num_videos, num_windows = batch.frame_queries.shape[:2]
    decoder = network.window_decoder
    tokens = network.object_encoder(batch.frame_queries.flatten(0, 1)).unflatten(0, (num_videos, num_windows))
    queries = decoder.first_queries(num_videos)
    memory = PrototypeMemory.empty(queries)
    assignment: np.ndarray | None = None
    totals: dict[str, Tensor] = {}
    for number in range(num_windows):
        targets = WindowTargets(
            labels=torch.zeros_like(batch.visible[:, number], dtype=torch.long),  # one class: object
            masks=batch.masks[:, number],
            visible=batch.visible[:, number],
        )
        outputs = decoder(decoder.with_memory(queries, memory), tokens[:, number])
        heads = [decoder.heads(output) for output in outputs]
        class_logits = torch.stack([head.class_logits for head in heads])
        masks = torch.einsum(
            "lbqc,bpc->lbqp",
            torch.stack([head.mask_embeds for head in heads]),
            _projected(network, batch.maps[:, number]),
        )
        assignment = _assigned(class_logits, masks, targets, assignment, settings=settings)
        losses = window_losses(class_logits, masks, targets, assignment, weights=_weights(settings))
        losses["similarity"] = settings.similarity_weight * _similarity(
            network, heads[-1], tokens[:, number], batch.object_of_query[:, number], targets, assignment[-1]
        )
        totals = {name: totals.get(name, 0) + loss / num_windows for name, loss in losses.items()}
        queries = outputs[-1]
        memory = decoder.remember(memory, heads[-1].prototypes)
    return totals


def _projected(network: WindowTraining, maps: Float[Tensor, "B P C"]) -> Float[Tensor, "B P C"]:
    """Return the pixel embeddings at the places: a 1x1 convolution is a linear layer."""
    return F.linear(maps, network.pixel_proj.weight.flatten(1), network.pixel_proj.bias)


def _weights(settings: WindowStage) -> WindowLossWeights:
    return WindowLossWeights(
        classes=settings.class_weight, mask_bce=settings.mask_weight, dice=settings.dice_weight
    )


def _assigned(
    class_logits: Float[Tensor, "L B Q K_plus_1"],
    masks: Float[Tensor, "L B Q P"],
    targets: WindowTargets,
    before: Int[np.ndarray, "L B N"] | None,
    *,
    settings: WindowStage,
) -> Int[np.ndarray, "L B N"]:
    weights = CostWeights(
        object=settings.class_weight, mask_bce=settings.mask_weight, dice=settings.dice_weight
    )
    with torch.no_grad():
        costs = uvla_costs(class_logits, masks, targets, weights=weights)
    if not settings.unified_assignment:
        return assign_alone(costs, targets)
    return assign_window(costs, targets, unborn(len(costs), targets) if before is None else before)


def _similarity(
    network: WindowTraining,
    heads: WindowHeads,
    tokens: Float[Tensor, "B T Q C"],
    object_of_query: Int[Tensor, "B T Q"],
    targets: WindowTargets,
    query_of_object: Int[np.ndarray, "B N"],
) -> Float[Tensor, ""]:
    """Return the similarity loss of the frame queries and the window queries of visible objects."""
    prototypes = heads.prototypes
    owners = torch.full(prototypes.shape[:2], NO_OBJECT, device=prototypes.device)
    queries = torch.from_numpy(query_of_object).to(prototypes.device)
    video, column = (targets.visible & (queries != UNBORN)).nonzero(as_tuple=True)
    owners[video, queries[video, column]] = column
    embeds = torch.cat(
        [network.frame_similarity(tokens.flatten(1, 2)), network.window_similarity(prototypes)], dim=1
    )
    return query_similarity_loss(embeds, torch.cat([object_of_query.flatten(1), owners], dim=1))


def _on(device: torch.device, batch: WindowSample) -> WindowSample:
    return WindowSample(
        frame_queries=batch.frame_queries.to(device),
        maps=batch.maps.to(device),
        masks=batch.masks.to(device),
        visible=batch.visible.to(device),
        object_of_query=batch.object_of_query.to(device),
    )
