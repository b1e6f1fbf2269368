"""Training of an OVFormer in windows: query decoder and alignment, on frozen parts of a CLIP-VIS."""

from dataclasses import replace
from pathlib import Path

import torch

from ovvis_cli.choices import StageName
from ovvis_cli.model_store.installed import weights_file
from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.clipvis import start_decoders
from ovvis_cli.training.instformer import Run
from ovvis_cli.training.loop import fit
from ovvis_cli.training.recipe import OVFormerRecipe, Scale
from ovvis_cli.training.stage_alignment import alignment_stage, trained_parts
from ovvis_models.catalog import CATALOG
from ovvis_models.networks.clip import build_clip
from ovvis_models.networks.ovformer import WindowOVFormer
from ovvis_models.systems.clip_vis import ClipVisSpec
from ovvis_models.systems.ov2seg import LOGIT_SCALE
from ovvis_models.systems.ovformer import OVFormerSpec
from ovvis_models.weights import load_weights, save_weights

STAGES: tuple[StageName, ...] = ("alignment",)


def train_stages(recipe: OVFormerRecipe, run: Run, *, stages: tuple[StageName, ...] = STAGES) -> None:
    """Train the given stages, each resumed from its checkpoint.

    Raises:
        UsageError: frames of the size in the recipe would be padded.
        WeightsError: a checkpoint is damaged.
    """
    if "alignment" not in stages:
        return
    torch.manual_seed(recipe.alignment.schedule.seed)
    network = start(recipe)
    stage = alignment_stage(recipe.alignment, network, logit_scale=LOGIT_SCALE, device=run.device)
    fit(stage, checkpoint=run.checkpoint("alignment"), on_step=run.on_step)


def at_scale(recipe: OVFormerRecipe, scale: Scale) -> OVFormerRecipe:
    """Return the recipe with its stage at `scale`."""
    return replace(recipe, alignment=replace(recipe.alignment, schedule=scale(recipe.alignment.schedule)))


def pack(recipe: OVFormerRecipe, run: Run, path: Path) -> None:
    """Combine the finished stage and the frozen parts into one weights file for the catalog."""
    network = start(recipe)
    load_average(run.checkpoint("alignment"), trained_parts(network))
    save_weights(network.eval(), path, metadata={"model": recipe.model})


def start(recipe: OVFormerRecipe) -> WindowOVFormer:
    """Return the network with the CLIP and the decoders of another model; the alignment is random."""
    spec, trained_spec = CATALOG[recipe.model], CATALOG[recipe.start_from]
    assert isinstance(spec, OVFormerSpec), f"{recipe.model} is not an OVFormer"
    assert isinstance(trained_spec, ClipVisSpec), f"{recipe.start_from} is not a CLIP-VIS"
    path = weights_file(trained_spec)
    assert path is not None, f"{recipe.start_from} comes with ovvis"
    clip = build_clip(trained_spec.clip)
    trained = trained_spec.compose(clip=clip)  # shares the modules of `clip`
    load_weights(trained, path)
    network = spec.compose(clip=clip, has_text=True)
    assert isinstance(network, WindowOVFormer), f"{recipe.model} has no windows"
    start_decoders(network.proposals, trained=trained.proposals)
    return network
