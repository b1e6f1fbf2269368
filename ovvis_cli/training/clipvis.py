"""The whole training of a CLIP-VIS: its convolutional CLIP, then the decoders on its frozen maps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ovvis_cli.errors import UsageError
from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.instformer import Run, StageName, trained_clip
from ovvis_cli.training.loop import fit
from ovvis_cli.training.recipe import ClipVisRecipe, Scale
from ovvis_cli.training.stage_clip import clip_stage
from ovvis_cli.training.stage_proposals import frame_stage
from ovvis_models.catalog import CATALOG, clip_spec, compose_clip_vis
from ovvis_models.networks.clip_vis import DIVISOR
from ovvis_models.preprocess import ImageInput, geometry, prepare
from ovvis_models.specs import ModelSpec
from ovvis_models.weights import save_weights

STAGES: tuple[StageName, ...] = ("clip", "clipvis")


def train_stages(recipe: ClipVisRecipe, run: Run, *, stages: tuple[StageName, ...] = STAGES) -> None:
    """Trains the stages asked for, in order, each from where its checkpoint ends.

    Raises:
        WeightsError: the second stage is asked for without a first, or a checkpoint is damaged.
    """
    spec = CATALOG[recipe.model]
    trainers: dict[StageName, Callable[[], None]] = {
        "clip": lambda: _train_clip(recipe, spec, run),
        "clipvis": lambda: _train_decoders(recipe, spec, run),
    }
    for name in STAGES:
        if name in stages:
            trainers[name]()


def at_scale(recipe: ClipVisRecipe, scale: Scale) -> ClipVisRecipe:
    """The recipe with every stage at `scale`."""
    return replace(
        recipe,
        clip=replace(recipe.clip, schedule=scale(recipe.clip.schedule)),
        clipvis=replace(recipe.clipvis, schedule=scale(recipe.clipvis.schedule)),
    )


def pack(recipe: ClipVisRecipe, run: Run, path: Path) -> None:
    """Puts the finished stages together into one weights file, as the catalogue loads it."""
    spec = CATALOG[recipe.model]
    network = compose_clip_vis(spec, clip=trained_clip(spec, run))
    load_average(run.checkpoint("clipvis"), network.proposals)
    save_weights(network.eval(), path, metadata={"model": recipe.model})


def _train_clip(recipe: ClipVisRecipe, spec: ModelSpec, run: Run) -> None:
    stage = clip_stage(recipe.clip, clip_spec(spec), device=run.device)
    fit(stage, checkpoint=run.checkpoint("clip"), on_step=run.on_step)


def _train_decoders(recipe: ClipVisRecipe, spec: ModelSpec, run: Run) -> None:
    wanted = spec.proposal_input
    for frame_hw in (recipe.clipvis.frame_hw, recipe.clipvis.final_frame_hw):
        _require_no_padding(frame_hw, wanted)
    torch.manual_seed(recipe.clipvis.schedule.seed)
    network = compose_clip_vis(spec, clip=trained_clip(spec, run))

    def to_input(images: UInt8[Tensor, "B H0 W0 3"]) -> Float[Tensor, "B 3 H W"]:
        shape = geometry(
            (images.shape[1], images.shape[2]),
            short_side=wanted.short_side,
            max_side=wanted.max_side,
            divisor=DIVISOR,
        )
        pixels = prepare(images, shape, mean=wanted.mean, std=wanted.std, resize=wanted.resize)
        return pixels.contiguous(memory_format=torch.channels_last)

    stage = frame_stage(
        recipe.clipvis, network.proposals, name="clipvis", to_input=to_input, divisor=1, device=run.device
    )
    fit(stage, checkpoint=run.checkpoint("clipvis"), on_step=run.on_step)


def _require_no_padding(frame_hw: tuple[int, int], wanted: ImageInput) -> None:
    """Targets cover the frame, so that the network's input must show nothing else."""
    shape = geometry(frame_hw, short_side=wanted.short_side, max_side=wanted.max_side, divisor=DIVISOR)
    if shape.resized_hw != shape.padded_hw:
        raise UsageError(f"frames of {frame_hw} would be padded", hint=f"take sizes that fit /{DIVISOR}")
