"""Photographs stage: trains proposals on crops of photographs with pasted objects."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ovvis_cli.photographs.frames import LabelledFrame, Pool, draw_frame, drawn_frame, make_pool
from ovvis_cli.photographs.source import read_folder, split
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import PhotographFolder, PhotographStage
from ovvis_cli.training.stage_proposals import FrameBatch, FrameSample, collate, targets_on, with_centers
from ovvis_models.losses.guided_criterion import GuidedCriterion, GuidedWeights
from ovvis_models.losses.masks import PointSampling
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.preprocess import ImageInput, proposal_images

SEED_SPACE = 31


def read_pool(data: Path, folders: Sequence[PhotographFolder]) -> Pool:
    """Read the training photographs from the folders below `data`.

    Raises:
        UsageError: a folder is missing or damaged.
    """
    read = []
    for folder in folders:
        photographs = read_folder(data / folder.name, complete=folder.complete)
        train = split(photographs)[0] if folder.hold_out else photographs
        read.append((train, folder.share, folder.cutout_share))
    return make_pool(read)


def photograph_stage(
    settings: PhotographStage,
    network: Mask2Former,
    *,
    pool: Pool,
    image_input: ImageInput,
    device: torch.device,
) -> Stage[FrameSample, FrameBatch]:
    """Return the stage that trains `network` on `pool`; frozen parameters stay frozen.

    Frames are not resized, so that objects appear in many sizes.
    """
    network = network.to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    criterion = GuidedCriterion(
        sampling=PointSampling(num_points=settings.num_points),
        weights=GuidedWeights(
            object=settings.object_weight,
            mask_bce=settings.mask_weight,
            dice=settings.dice_weight,
            margin=0.0,
            heatmap=settings.heatmap_weight,
            quality=settings.quality_weight,
        ),
        crowd_exponent=settings.crowd_exponent,
    )

    def draw(number: int) -> FrameSample:
        frame = frame_of(settings, pool, number)
        return replace(with_centers(frame.image, frame.masks), unlabelled=frame.unlabelled)

    def losses(batch: FrameBatch) -> dict[str, Tensor]:
        sides = batch.images.shape[1:3]
        as_large = replace(image_input, short_side=min(sides), max_side=max(sides))
        images, _ = proposal_images(batch.images.to(device), as_large)
        return criterion(network.class_agnostic(images), targets_on(device, batch))

    return Stage(
        name="photographs",
        model=network,
        draw=draw,
        collate=collate,
        losses=losses,
        schedule=settings.schedule,
    )


def frame_of(settings: PhotographStage, pool: Pool, number: int) -> LabelledFrame:
    """Return the frame of sample `number`. All frames of a batch have one size; some batches are portrait."""
    schedule = settings.schedule
    batch = number // schedule.batch_size
    is_final = batch >= round((1 - settings.final_share) * schedule.steps)
    height, width = settings.final_frame_hw if is_final else settings.frame_hw
    upright = np.random.default_rng([SEED_SPACE, schedule.seed, batch]).random() < settings.upright_share
    rng = np.random.default_rng([SEED_SPACE, schedule.seed, batch, number])
    size = (width, height) if upright else (height, width)
    if rng.random() < settings.drawn_share:
        return drawn_frame(rng, frame_hw=size)
    return draw_frame(rng, pool, frame_hw=size)
