"""Training of an InstFormer: stages in order, each with its checkpoint, then one weights file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from open_clip.model import CLIP

from ovvis_cli.choices import StageName
from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.loop import Stage, StepReport, fit
from ovvis_cli.training.recipe import Recipe, Scale
from ovvis_cli.training.stage_clip import clip_stage, forget_unseen_tokens
from ovvis_cli.training.stage_instclip import instclip_stage
from ovvis_cli.training.stage_proposals import proposal_stage
from ovvis_cli.training.stage_rollout import collect_tokens, rollout_stage
from ovvis_models.catalog import CATALOG
from ovvis_models.networks.clip import ClipSpec, build_clip
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.networks.instformer import InstFormer
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.systems.instformer import InstFormerSpec
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.trackers.rollout import RolloutTracker
from ovvis_models.weights import save_weights

STAGES: tuple[StageName, ...] = ("clip", "proposals", "instclip", "rollout")

Sample = TypeVar("Sample")
Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Output folder, device and progress callbacks of a training run."""

    folder: Path
    device: torch.device
    on_step: Callable[[StepReport], None]
    on_clip: Callable[[int, int], None]  # clips processed for the rollout stage: done, total

    def checkpoint(self, stage: StageName) -> Path:
        """Return the path of a stage's checkpoint."""
        return self.folder / f"{stage}.safetensors"


def train_stages(recipe: Recipe, run: Run, *, stages: tuple[StageName, ...] = STAGES) -> None:
    """Train the given stages in order, each resumed from its checkpoint.

    Raises:
        WeightsError: the checkpoint of a required earlier stage is missing, or a checkpoint is damaged.
    """
    spec = _spec(recipe)
    trainers: dict[StageName, Callable[[], None]] = {
        "clip": lambda: _fit(clip_stage(recipe.clip, spec.clip, device=run.device), run),
        "proposals": lambda: _train_proposals(recipe, spec, run),
        "instclip": lambda: _train_instclip(recipe, spec, run),
        "rollout": lambda: _train_rollout(recipe, spec, run),
    }
    for name in STAGES:
        if name in stages:
            trainers[name]()


def at_scale(recipe: Recipe, scale: Scale) -> Recipe:
    """Return the recipe with every stage at `scale`, and `budget` times as many clips for the rollout."""
    return replace(
        recipe,
        clip=replace(recipe.clip, schedule=scale(recipe.clip.schedule)),
        proposals=replace(recipe.proposals, schedule=scale(recipe.proposals.schedule)),
        instclip=replace(recipe.instclip, schedule=scale(recipe.instclip.schedule)),
        rollout=replace(
            recipe.rollout,
            schedule=scale(recipe.rollout.schedule),
            num_clips=max(2, round(recipe.rollout.num_clips * scale.budget)),
        ),
    )


def pack(recipe: Recipe, run: Run, path: Path) -> None:
    """Combine the finished stages into one weights file for the catalog."""
    network = assembled(_spec(recipe), run, stages=STAGES)
    save_weights(network, path, metadata={"model": recipe.model})


def assembled(spec: InstFormerSpec, run: Run, *, stages: tuple[StageName, ...]) -> InstFormer:
    """Return the network with the averaged weights of the finished `stages`; the rest is random."""
    network = spec.build()
    if "clip" in stages:
        clip = trained_clip(spec.clip, run)
        _instclip(network).visual.load_state_dict(clip.visual.state_dict())
        _instclip(network).start_from_class_token()
        network.text_encoder.load_state_dict(TextEncoder(clip).state_dict())
    if "proposals" in stages:
        load_average(run.checkpoint("proposals"), network.proposals)
    if "instclip" in stages:
        load_average(run.checkpoint("instclip"), _instclip(network))
    if "rollout" in stages:
        load_average(run.checkpoint("rollout"), _rollout(network))
    return network.eval().to(run.device)


def trained_clip(spec: ClipSpec, run: Run) -> CLIP:
    """Return the frozen CLIP of stage 0; embeddings of tokens unseen in training are set to zero."""
    clip = build_clip(spec)
    load_average(run.checkpoint("clip"), clip)
    forget_unseen_tokens(clip, spec)
    return clip.eval().requires_grad_(requires_grad=False).to(run.device)


def _spec(recipe: Recipe) -> InstFormerSpec:
    spec = CATALOG[recipe.model]
    assert isinstance(spec, InstFormerSpec), f"{recipe.model} is not an InstFormer"
    return spec


def _train_proposals(recipe: Recipe, spec: InstFormerSpec, run: Run) -> None:
    torch.manual_seed(recipe.proposals.schedule.seed)
    network = spec.proposals.build()
    assert isinstance(network, Mask2Former), (
        f"{spec.name} is not trained: its proposals are not Mask2Former's"
    )
    stage = proposal_stage(
        recipe.proposals,
        network,
        name="proposals",
        image_input=spec.proposal_input,
        device=run.device,
    )
    _fit(stage, run)


def _train_instclip(recipe: Recipe, spec: InstFormerSpec, run: Run) -> None:
    torch.manual_seed(recipe.instclip.schedule.seed)
    student = _instclip(assembled(spec, run, stages=("clip",)))
    teacher = trained_clip(spec.clip, run)
    _fit(instclip_stage(recipe.instclip, spec.clip, teacher=teacher, student=student), run)


def _train_rollout(recipe: Recipe, spec: InstFormerSpec, run: Run) -> None:
    torch.manual_seed(recipe.rollout.schedule.seed)
    network = assembled(spec, run, stages=("clip", "proposals", "instclip"))
    clips = collect_tokens(recipe.rollout, network, device=run.device, on_clip=run.on_clip)
    _fit(rollout_stage(recipe.rollout, clips, tracker=_rollout(network), device=run.device), run)


def _instclip(network: InstFormer) -> InstCLIP:
    encoder = network.instance_encoder
    assert isinstance(encoder, InstCLIP), "the catalog builds InstFormers with InstCLIP"
    return encoder


def _rollout(network: InstFormer) -> RolloutTracker:
    tracker = network.tracker
    assert tracker is not None, "only models with a rollout tracker are trained"
    return tracker


def _fit(stage: Stage[Sample, Batch], run: Run) -> None:
    fit(stage, checkpoint=run.folder / f"{stage.name}.safetensors", on_step=run.on_step)
