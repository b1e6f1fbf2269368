"""Stage 1a: trains class-agnostic proposals on single frames of base kinds and nameless shapes."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.kinds.nameless import NAMELESS
from ovvis_cli.diorama.scene import MAX_OBJECTS, render_clip
from ovvis_cli.errors import UsageError
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import ProposalStage
from ovvis_models.losses.guided_criterion import GuidedCriterion, GuidedWeights
from ovvis_models.losses.masks import PointSampling
from ovvis_models.losses.targets import Target
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.preprocess import ImageInput, geometry, proposal_images

SEED_SPACE = 11
LONGEST_FILM = 24  # frames
MIN_OBJECTS = 2  # more objects per frame give more supervision for the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSample:
    """One frame with the visible masks of its objects and their most interior points."""

    image: UInt8[np.ndarray, "H W 3"]
    masks: Bool[np.ndarray, "n H W"]
    centers: Float[np.ndarray, "n 2"]  # (x, y) in pixels
    radii: Float[np.ndarray, " n"]  # pixels
    unlabelled: Bool[np.ndarray, "H W"] | None = (
        None  # area that may contain unlabelled objects; None: no area
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameBatch:
    """Stacked frames, and all their objects concatenated frame by frame."""

    images: UInt8[Tensor, "B H W 3"]
    num_objects: tuple[int, ...]  # of each frame
    masks: Bool[Tensor, "G H W"]
    centers: Float[Tensor, "G 2"]
    radii: Float[Tensor, " G"]
    unlabelled: Bool[Tensor, "B H W"] | None = None


def proposal_stage(
    settings: ProposalStage,
    network: Mask2Former,
    *,
    name: str,
    image_input: ImageInput,
    device: torch.device,
) -> Stage[FrameSample, FrameBatch]:
    """Return the stage `name`, which trains a proposal network on frames, on `device`.

    Args:
        settings: settings of the stage.
        network: the network to train; frozen parameters stay frozen.
        name: name of the stage and its checkpoint.
        image_input: preprocessing of frames, the same as for inference.
        device: device to train on.

    Raises:
        UsageError: frames of the sizes in `settings` would be padded.
    """
    for frame_hw in (settings.frame_hw, settings.final_frame_hw):
        require_no_padding(frame_hw, image_input)
    network = network.to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    criterion = GuidedCriterion(
        sampling=PointSampling(num_points=settings.num_points, oversample=3.0, importance=0.75),
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
        # one frame per scene for varied batches; a random start, because objects cross only later in a clip
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
        images, _ = proposal_images(batch.images.to(device), image_input)
        return criterion(network.class_agnostic(images), targets_on(device, batch))

    return Stage(
        name=name, model=network, draw=draw, collate=collate, losses=losses, schedule=settings.schedule
    )


def require_no_padding(frame_hw: tuple[int, int], wanted: ImageInput) -> None:
    """Raise UsageError if frames would be padded: targets cover the frame only, not the padding."""
    shown = geometry(frame_hw, short_side=wanted.short_side, max_side=wanted.max_side)
    if shown.resized_hw != shown.padded_hw:
        raise UsageError(
            f"frames of {shown.original_hw} would be padded from {shown.resized_hw} to {shown.padded_hw}",
            hint="choose frame_hw and final_frame_hw that need no padding after resizing",
        )


def targets_on(device: torch.device, batch: FrameBatch) -> list[Target]:
    """Return the targets of the frames, on `device`."""
    counts = list(batch.num_objects)
    parts = (torch.split(values.to(device), counts) for values in (batch.masks, batch.centers, batch.radii))
    areas = [None] * len(counts) if batch.unlabelled is None else list(batch.unlabelled.to(device))
    return [
        Target(masks=m, centers=c, radii=r, unlabelled=u) for m, c, r, u in zip(*parts, areas, strict=True)
    ]


def pool(base: Sequence[Kind], nameless: Sequence[Kind], nameless_share: float) -> tuple[Kind, ...]:
    """Return kinds to sample uniformly so that about `nameless_share` of the samples are nameless."""
    repeats = round(nameless_share / (1 - nameless_share) * len(base) / len(nameless))
    return (*base, *(tuple(nameless) * repeats))


def with_centers(image: UInt8[np.ndarray, "H W 3"], masks: Bool[np.ndarray, "n H W"]) -> FrameSample:
    """Return a sample without invisible objects, with the point of each mask farthest from its outline."""
    masks = np.ascontiguousarray(masks[masks.any(axis=(1, 2))])
    centers, radii = np.zeros((len(masks), 2), np.float32), np.zeros(len(masks), np.float32)
    for index, mask in enumerate(masks):
        depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        centers[index], radii[index] = (x, y), depth[y, x]
    return FrameSample(image=image, masks=masks, centers=centers, radii=radii)


def collate(samples: list[FrameSample]) -> FrameBatch:
    """Stack samples; either all or none of them have unlabelled areas."""
    areas = [sample.unlabelled for sample in samples if sample.unlabelled is not None]
    return FrameBatch(
        images=torch.from_numpy(np.stack([sample.image for sample in samples])),
        num_objects=tuple(len(sample.radii) for sample in samples),
        masks=torch.from_numpy(np.concatenate([sample.masks for sample in samples])),
        centers=torch.from_numpy(np.concatenate([sample.centers for sample in samples])),
        radii=torch.from_numpy(np.concatenate([sample.radii for sample in samples])),
        unlabelled=torch.from_numpy(np.stack(areas)) if areas else None,
    )
