"""The whole training of an InstFormer: stages in order, each from its own checkpoint, then one weights file."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import torch
from open_clip.model import CLIP
from ovvis_models.catalog import CATALOG, ModelSpec, build
from ovvis_models.networks.clip import build_clip
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.networks.instformer import InstFormer
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.weights import save_weights

from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.loop import Stage, StepReport, fit
from ovvis_cli.training.recipe import Recipe, scaled
from ovvis_cli.training.stage_clip import clip_stage, forget_unseen_tokens
from ovvis_cli.training.stage_instclip import instclip_stage
from ovvis_cli.training.stage_proposals import proposal_stage
from ovvis_cli.training.stage_rollout import collect_tokens, rollout_stage

StageName = Literal["clip", "proposals", "instclip", "rollout"]
STAGES: tuple[StageName, ...] = ("clip", "proposals", "instclip", "rollout")

Sample = TypeVar("Sample")
Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where a training writes and whom it tells."""

    folder: Path
    device: torch.device
    on_step: Callable[[StepReport], None]
    on_clip: Callable[[int, int], None]  # clips read for the rollout: done, total

    def checkpoint(self, stage: str) -> Path:
        """The checkpoint of a stage."""
        return self.folder / f"{stage}.safetensors"


def train_instformer(recipe: Recipe, run: Run, *, stages: tuple[StageName, ...] = STAGES) -> InstFormer:
    """Trains the stages asked for, in order; each needs the finished checkpoints of those before it.

    Raises:
        WeightsError: a stage that another one builds on has no checkpoint.
    """
    spec = CATALOG[recipe.model]
    network = build(recipe.model)
    trainers: dict[StageName, Callable[[], None]] = {
        "clip": lambda: _fit(clip_stage(recipe.clip, spec.clip, device=run.device), run),
        "proposals": lambda: _fit(_proposals(recipe, network, spec, run), run),
        "instclip": lambda: _fit(_instclip(recipe, network, spec, run), run),
        "rollout": lambda: _fit(_rollout(recipe, network, spec, run), run),
    }
    for name in STAGES:
        if name in stages:
            trainers[name]()
    return network


def pack(recipe: Recipe, run: Run, path: Path) -> None:
    """Puts the checkpoints of all stages together into the one weights file that the catalogue names."""
    spec = CATALOG[recipe.model]
    network = build(recipe.model)
    load_stages(network, spec, run, stages=STAGES)
    save_weights(network, path, metadata={"model": recipe.model})


def load_stages(
    network: InstFormer, spec: ModelSpec, run: Run, *, stages: tuple[StageName, ...]
) -> None:
    """Fills `network` with the averaged weights of the finished `stages`, in place."""
    if "clip" in stages:
        clip = trained_clip(spec, run)
        instance_encoder(network).visual.load_state_dict(clip.visual.state_dict())
        instance_encoder(network).start_from_class_token()
        network.text_encoder.load_state_dict(TextEncoder(clip).state_dict())
    if "proposals" in stages:
        load_average(run.checkpoint("proposals"), network.proposals)
    if "instclip" in stages:
        load_average(run.checkpoint("instclip"), instance_encoder(network))
    if "rollout" in stages:
        load_average(run.checkpoint("rollout"), network.tracker)


def trained_clip(spec: ModelSpec, run: Run) -> CLIP:
    """The CLIP of stage 0, frozen; words that it never saw have no meaning to it."""
    clip = build_clip(spec.clip)
    load_average(run.checkpoint("clip"), clip)
    forget_unseen_tokens(clip, spec.clip)
    return clip.eval().requires_grad_(False).to(run.device)


def instance_encoder(network: InstFormer) -> InstCLIP:
    """The network's InstCLIP; an InstFormer in training has no other classifier."""
    assert isinstance(network.instance_encoder, InstCLIP), "only InstCLIP is trained"
    return network.instance_encoder


def _fit(stage: Stage[Sample, Batch], run: Run) -> None:
    fit(stage, checkpoint=run.checkpoint(stage.name), on_step=run.on_step)
