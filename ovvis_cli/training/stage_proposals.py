"""Stage 1a: class-agnostic proposals from single frames of base kinds and nameless shapes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.kinds.nameless import NAMELESS
from ovvis_cli.diorama.scene import MAX_OBJECTS, render_clip
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import ProposalStage
from ovvis_models.losses.guided_criterion import GuidedCriterion, GuidedWeights
from ovvis_models.losses.masks import PointSampling
from ovvis_models.losses.targets import Target
from ovvis_models.networks.mask2former import Mask2Former, Mask2FormerSpec, build_mask2former

SEED_SPACE = 11
SIZE_DIVISOR = 32
LONGEST_FILM = 24  # frames
LOCAL_SHARE = 0.5  # of the points of the mask losses, drawn around the object
MIN_OBJECTS = 2  # crowded frames teach more for the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSample:
    """One frame with the visible masks of its objects and the most interior point of each."""

    image: UInt8[np.ndarray, "H W 3"]
    masks: Bool[np.ndarray, "n H W"]
    centers: Float[np.ndarray, "n 2"]  # (x, y) in pixels
    radii: Float[np.ndarray, " n"]  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameBatch:
    """Frames stacked, and all their objects in one row, frame by frame."""

    images: UInt8[Tensor, "B H W 3"]
    num_objects: tuple[int, ...]  # of each frame
    masks: Bool[Tensor, "G H W"]
    centers: Float[Tensor, "G 2"]
    radii: Float[Tensor, " G"]


def proposal_stage(
    settings: ProposalStage,
    spec: Mask2FormerSpec,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
) -> Stage[FrameSample, FrameBatch]:
    """The stage, with a fresh network of `spec` on `device`; `mean` and `std` are of 0..255 values."""
    torch.manual_seed(settings.schedule.seed)

    def to_input(images: UInt8[Tensor, "B H0 W0 3"]) -> Float[Tensor, "B 3 H W"]:
        return network_input(images, mean=mean, std=std)

    network = build_mask2former(spec)
    return frame_stage(
        settings, network, name="proposals", to_input=to_input, divisor=SIZE_DIVISOR, device=device
    )


def frame_stage(
    settings: ProposalStage,
    network: Mask2Former,
    *,
    name: str,
    to_input: Callable[[UInt8[Tensor, "B H0 W0 3"]], Float[Tensor, "B 3 H W"]],
    divisor: int,
    device: torch.device,
) -> Stage[FrameSample, FrameBatch]:
    """The stage `name`, which trains a proposal network on frames, on `device`.

    Args:
        settings: numbers of the stage.
        network: a fresh one; what of it is frozen stays so.
        name: of the stage and its checkpoint.
        to_input: what the network sees of frames; the whole of it is a frame padded to `divisor`.
        divisor: in pixels of the frames; 1 for no padding.
        device: where the network is put.
    """
    network = network.to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    criterion = GuidedCriterion(
        sampling=PointSampling(
            num_points=settings.num_points, oversample=3.0, importance=0.75, local=LOCAL_SHARE
        ),
        weights=GuidedWeights(
            object=settings.object_weight,
            mask_bce=settings.mask_weight,
            dice=settings.dice_weight,
            margin=settings.margin_weight,
            heatmap=settings.heatmap_weight,
        ),
    )
    kinds = pool(BASE_KINDS, NAMELESS, settings.nameless_share)
    seed = settings.schedule.seed

    first_final = round((1 - settings.final_share) * settings.schedule.steps) * settings.schedule.batch_size

    def draw(number: int) -> FrameSample:
        rng = np.random.default_rng([SEED_SPACE, seed, number])
        # one frame a scene, so that a batch is as varied as it can be; late in a film objects cross
        start_frame = int(rng.integers(0, LONGEST_FILM))
        clip = render_clip(
            rng,
            kinds=kinds,
            num_frames=1,
            frame_hw=settings.final_frame_hw if number >= first_final else settings.frame_hw,
            num_objects=int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)),
            start_frame=start_frame,
        )
        return with_centers(clip.frames[0], clip.masks[0])

    def losses(batch: FrameBatch) -> dict[str, Tensor]:
        images = to_input(batch.images.to(device))
        return criterion(network.class_agnostic(images), targets_on(device, batch, divisor=divisor))

    return Stage(
        name=name, model=network, draw=draw, collate=collate, losses=losses, schedule=settings.schedule
    )


def network_input(
    images: UInt8[Tensor, "B H0 W0 3"], *, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "B 3 H W"]:
    """Frames normalised and padded at right and bottom to a multiple of 32, as `preprocess.prepare` does."""
    values = images.permute(0, 3, 1, 2).float()
    values = (values - values.new_tensor(mean).view(3, 1, 1)) / values.new_tensor(std).view(3, 1, 1)
    padding = (0, -images.shape[2] % SIZE_DIVISOR, 0, -images.shape[1] % SIZE_DIVISOR)
    return F.pad(values, padding).contiguous(memory_format=torch.channels_last)


def targets_on(device: torch.device, batch: FrameBatch, *, divisor: int = SIZE_DIVISOR) -> list[Target]:
    """The frames' targets on `device`, masks padded like the input to a multiple of `divisor`."""
    height, width = batch.masks.shape[-2:]
    masks = F.pad(batch.masks.to(device), (0, -width % divisor, 0, -height % divisor))
    counts = list(batch.num_objects)
    parts = (torch.split(values.to(device), counts) for values in (masks, batch.centers, batch.radii))
    return [Target(masks=m, centers=c, radii=r) for m, c, r in zip(*parts, strict=True)]


def pool(base: Sequence[Kind], nameless: Sequence[Kind], nameless_share: float) -> tuple[Kind, ...]:
    """Kinds to draw from uniformly, such that about `nameless_share` of the draws are nameless shapes."""
    repeats = round(nameless_share / (1 - nameless_share) * len(base) / len(nameless))
    return (*base, *(tuple(nameless) * repeats))


def with_centers(image: UInt8[np.ndarray, "H W 3"], masks: Bool[np.ndarray, "n H W"]) -> FrameSample:
    """Drops invisible objects and finds the point farthest from the outline of each other one."""
    masks = np.ascontiguousarray(masks[masks.any(axis=(1, 2))])
    centers, radii = np.zeros((len(masks), 2), np.float32), np.zeros(len(masks), np.float32)
    for index, mask in enumerate(masks):
        depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        centers[index], radii[index] = (x, y), depth[y, x]
    return FrameSample(image=image, masks=masks, centers=centers, radii=radii)


def collate(samples: list[FrameSample]) -> FrameBatch:
    """Stacks samples."""
    return FrameBatch(
        images=torch.from_numpy(np.stack([sample.image for sample in samples])),
        num_objects=tuple(len(sample.radii) for sample in samples),
        masks=torch.from_numpy(np.concatenate([sample.masks for sample in samples])),
        centers=torch.from_numpy(np.concatenate([sample.centers for sample in samples])),
        radii=torch.from_numpy(np.concatenate([sample.radii for sample in samples])),
    )
