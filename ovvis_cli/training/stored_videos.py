"""Videos as a frozen proposal network sees them: queries and maps of frames, kept in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.kinds.nameless import NAMELESS
from ovvis_cli.diorama.scene import MAX_OBJECTS, render_clip
from ovvis_cli.training.loop import drawn
from ovvis_cli.training.pseudo_video import pseudo_video
from ovvis_cli.training.recipe import WindowStage
from ovvis_cli.training.stage_proposals import MIN_OBJECTS, pool
from ovvis_cli.training.stage_rollout import proposals_of_objects
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.preprocess import ImageInput, proposal_images

SEED_SPACE = 17
NO_OBJECT = -1
FRAMES_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedVideo:
    """Frames with the visible masks of N objects."""

    frames: UInt8[np.ndarray, "T H W 3"]
    masks: Bool[np.ndarray, "T N H W"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVideo:
    """A video of N objects; maps and masks are at stride 8, in half precision."""

    frame_queries: Float[Tensor, "T Q C"]
    maps: Float[Tensor, "T C h w"]  # of the pixel decoder, before the projection to pixel embeddings
    masks: Float[Tensor, "T N h w"]  # share of each place that the object covers
    visible: Bool[Tensor, "T N"]
    object_of_query: Int[Tensor, "T Q"]  # by mask overlap; `NO_OBJECT` for none


def render_video(settings: WindowStage, number: int) -> RenderedVideo:
    """Return a video of the diorama, or a pseudo-video of one of its frames; a function of its number."""
    rng = np.random.default_rng([SEED_SPACE, settings.schedule.seed, number])
    is_pseudo = rng.random() < settings.pseudo_share
    clip = render_clip(
        rng,
        kinds=_kinds(settings),
        num_frames=1 if is_pseudo else settings.video_frames,
        frame_hw=settings.frame_hw,
        num_objects=int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)),
        stride=settings.stride,
    )
    if not is_pseudo:
        return RenderedVideo(frames=clip.frames, masks=clip.masks)
    moved = pseudo_video(clip.frames[0], clip.masks[0], rng, num_frames=settings.video_frames)
    return RenderedVideo(frames=moved.frames, masks=moved.masks)


def store_videos(
    settings: WindowStage,
    network: Mask2Former,
    *,
    image_input: ImageInput,
    device: torch.device,
    on_video: Callable[[int, int], None],
) -> list[StoredVideo]:
    """Run the frozen network over rendered videos; `on_video(done, total)` is a progress callback."""
    network = network.to(device).eval()
    rendered = drawn(
        lambda number: render_video(settings, number), first=0, last=settings.num_videos, workers=1
    )
    stored = []
    for number, video in enumerate(rendered):
        stored.append(stored_video(video, network, image_input=image_input, device=device))
        on_video(number + 1, settings.num_videos)
    return stored


@torch.no_grad()
def stored_video(
    video: RenderedVideo, network: Mask2Former, *, image_input: ImageInput, device: torch.device
) -> StoredVideo:
    """Return what the network says of a video, a few frames at a time."""
    queries, maps, owners = [], [], []
    for start in range(0, len(video.frames), FRAMES_AT_ONCE):
        frames = torch.from_numpy(video.frames[start : start + FRAMES_AT_ONCE]).to(device)
        masks = torch.from_numpy(video.masks[start : start + FRAMES_AT_ONCE]).to(device)
        images, shape = proposal_images(frames, image_input)
        found = network.pixel_decoder.maps(network.backbone(images))
        last = network.query_decoder.last(network.pixel_decoder.embed(found))
        chosen, matched = proposals_of_objects(last.mask_logits > 0, shape, masks)
        owners.append(_owners(chosen, matched, num_queries=last.query_embeds.shape[1]).cpu())
        queries.append(last.query_embeds.half().cpu())
        maps.append(F.avg_pool2d(found.finest, 2).half().cpu())
    masks = torch.from_numpy(video.masks)
    height, width = maps[0].shape[-2:]
    return StoredVideo(
        frame_queries=torch.cat(queries),
        maps=torch.cat(maps),
        masks=F.interpolate(masks.float(), (height, width), mode="area").half(),
        visible=masks.flatten(2).any(dim=-1),
        object_of_query=torch.cat(owners),
    )


def _owners(
    chosen: Int[Tensor, "T N"], matched: Bool[Tensor, "T N"], *, num_queries: int
) -> Int[Tensor, "T Q"]:
    """Return the object that chose each query."""
    owners = torch.full((len(chosen), num_queries), NO_OBJECT, device=chosen.device)
    frame, column = matched.nonzero(as_tuple=True)
    owners[frame, chosen[frame, column]] = column
    return owners


def _kinds(settings: WindowStage) -> Sequence[Kind]:
    return pool(BASE_KINDS, NAMELESS, settings.nameless_share)
