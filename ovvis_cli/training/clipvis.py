"""Training of a CLIP-VIS: first its convolutional CLIP, then the decoders on its frozen feature maps.

The decoders are initialised from another model with the same shapes; only the layers that read the feature
maps and the heads that differ are trained from scratch.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ovvis_cli.choices import StageName
from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.instformer import Run, trained_clip
from ovvis_cli.training.loop import fit
from ovvis_cli.training.recipe import ClipVisRecipe, Scale
from ovvis_cli.training.stage_clip import clip_stage
from ovvis_cli.training.stage_proposals import proposal_stage
from ovvis_models.catalog import CATALOG
from ovvis_models.loading import load
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.systems.clip_vis import ClipVisSpec
from ovvis_models.weights import save_weights

STAGES: tuple[StageName, ...] = ("clip", "clipvis")


def train_stages(recipe: ClipVisRecipe, run: Run, *, stages: tuple[StageName, ...] = STAGES) -> None:
    """Train the given stages in order, each resumed from its checkpoint.

    Raises:
        WeightsError: the first stage was not trained before the second, or a checkpoint is damaged.
    """
    spec = _spec(recipe)
    trainers: dict[StageName, Callable[[], None]] = {
        "clip": lambda: _train_clip(recipe, spec, run),
        "clipvis": lambda: _train_decoders(recipe, spec, run),
    }
    for name in STAGES:
        if name in stages:
            trainers[name]()


def at_scale(recipe: ClipVisRecipe, scale: Scale) -> ClipVisRecipe:
    """Return the recipe with every stage at `scale`."""
    return replace(
        recipe,
        clip=replace(recipe.clip, schedule=scale(recipe.clip.schedule)),
        clipvis=replace(recipe.clipvis, schedule=scale(recipe.clipvis.schedule)),
    )


def pack(recipe: ClipVisRecipe, run: Run, path: Path) -> None:
    """Combine the finished stages into one weights file for the catalog."""
    spec = _spec(recipe)
    network = spec.compose(clip=trained_clip(spec.clip, run))
    load_average(run.checkpoint("clipvis"), network.proposals)
    save_weights(network.eval(), path, metadata={"model": recipe.model})


def _spec(recipe: ClipVisRecipe) -> ClipVisSpec:
    spec = CATALOG[recipe.model]
    assert isinstance(spec, ClipVisSpec), f"{recipe.model} is not a CLIP-VIS"
    return spec


def _train_clip(recipe: ClipVisRecipe, spec: ClipVisSpec, run: Run) -> None:
    stage = clip_stage(recipe.clip, spec.clip, device=run.device)
    fit(stage, checkpoint=run.checkpoint("clip"), on_step=run.on_step)


def _train_decoders(recipe: ClipVisRecipe, spec: ClipVisSpec, run: Run) -> None:
    torch.manual_seed(recipe.clipvis.schedule.seed)
    network = spec.compose(clip=trained_clip(spec.clip, run))
    start_decoders(network.proposals, trained=load(recipe.decoders_from).network.proposals)
    stage = proposal_stage(
        recipe.clipvis,
        network.proposals,
        name="clipvis",
        image_input=spec.proposal_input,
        device=run.device,
    )
    fit(stage, checkpoint=run.checkpoint("clipvis"), on_step=run.on_step)


def start_decoders(fresh: Mask2Former, *, trained: nn.Module) -> None:
    """Copy all weights that both networks share, except backbones, from `trained` to `fresh`, in place."""
    own = fresh.state_dict()
    alike = {
        name: value
        for name, value in trained.state_dict().items()
        if not name.startswith("backbone.") and name in own and own[name].shape == value.shape
    }
    fresh.load_state_dict(own | alike)
