"""Training of a GenVIS on the frozen proposal network and InstCLIP of another model.

The networks over windows start from what the proposal network knows: its mask head, and attention by
similarity. So an untrained query follows the frame query that is most like it, as in MinVIS, and training has
to add births, deaths and returns.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ovvis_cli.choices import StageName
from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.instformer import Run
from ovvis_cli.training.loop import fit
from ovvis_cli.training.recipe import GenVISRecipe, Scale
from ovvis_cli.training.stage_windows import WindowTraining, window_stage
from ovvis_cli.training.stored_videos import store_videos
from ovvis_models.blocks.transformer_layers import AttentionLayer, FeedForwardLayer
from ovvis_models.catalog import CATALOG
from ovvis_models.decoders.object_heads import ClassAgnosticHead
from ovvis_models.decoders.query_decoder import DecoderLayer
from ovvis_models.loading import ZOO
from ovvis_models.networks.genvis import GenVIS
from ovvis_models.networks.instformer import InstFormer
from ovvis_models.systems.genvis import GenVISSpec
from ovvis_models.systems.instformer import InstFormerSpec
from ovvis_models.weights import load_weights, save_weights

STAGES: tuple[StageName, ...] = ("windows",)
POSITION_SCALE = 0.1  # of position embeddings at the start: attention is by similarity first


def train_stages(recipe: GenVISRecipe, run: Run, *, stages: tuple[StageName, ...] = STAGES) -> None:
    """Train the networks over windows, resumed from their checkpoint.

    Raises:
        WeightsError: the checkpoint is damaged.
    """
    if "windows" not in stages:
        return
    settings, spec = recipe.windows, _spec(recipe)
    torch.manual_seed(settings.schedule.seed)
    network = composed(recipe)
    start_windows(network)
    videos = store_videos(
        settings,
        network.proposals,
        image_input=spec.proposal_input,
        device=run.device,
        on_video=run.on_clip,
    )
    stage = window_stage(
        settings, videos, network=WindowTraining(network), window=spec.window, device=run.device
    )
    fit(stage, checkpoint=run.checkpoint("windows"), on_step=run.on_step)


def at_scale(recipe: GenVISRecipe, scale: Scale) -> GenVISRecipe:
    """Return the recipe with its stage at `scale`, and `budget` times as many videos."""
    windows = recipe.windows
    return replace(
        recipe,
        windows=replace(
            windows,
            schedule=scale(windows.schedule),
            num_videos=max(2, round(windows.num_videos * scale.budget)),
        ),
    )


def pack(recipe: GenVISRecipe, run: Run, path: Path) -> None:
    """Combine the trained networks with those that they were trained on into one weights file."""
    network = composed(recipe)
    load_average(run.checkpoint("windows"), WindowTraining(network))
    save_weights(network.eval(), path, metadata={"model": recipe.model})


def composed(recipe: GenVISRecipe) -> GenVIS:
    """Return the network with proposal network and InstCLIP of the other model; the rest is random."""
    source = _parts(recipe.parts_from)
    network = _spec(recipe).build()
    network.proposals.load_state_dict(source.proposals.state_dict())
    assert network.mask_naming is not None, "a built network can name masks"
    naming = network.mask_naming
    assert isinstance(naming.instance_encoder, nn.Module) and isinstance(source.instance_encoder, nn.Module)
    naming.instance_encoder.load_state_dict(source.instance_encoder.state_dict())
    naming.text_encoder.load_state_dict(source.text_encoder.state_dict())
    return network


@torch.no_grad()
def start_windows(network: GenVIS) -> None:
    """Start the networks over windows from the decoder of the proposal network, in place.

    Masks and objectness are those of the proposal network. Each query attends to what is like it and takes it
    over; self-attention, feed-forward layers and the memory start without effect.
    """
    frame, window = network.proposals.query_decoder, network.window_decoder
    network.pixel_proj.load_state_dict(network.proposals.pixel_decoder.pixel_proj.state_dict())
    window.norm.load_state_dict(frame.norm.state_dict())
    window.mask_embed.load_state_dict(frame.mask_embed.state_dict())
    if isinstance(frame.object_head, ClassAgnosticHead):
        window.object_head.linear.weight.zero_()
        window.object_head.linear.bias.zero_()
        window.object_head.linear.weight[0] = frame.object_head.linear.weight[0]
        window.object_head.linear.bias[0] = frame.object_head.linear.bias[0]
    nn.init.eye_(network.object_encoder.input_proj.weight)
    nn.init.zeros_(network.object_encoder.input_proj.bias)
    for part in (*network.object_encoder.modules(), *window.modules()):
        if isinstance(part, AttentionLayer):
            nn.init.zeros_(part.out_proj.weight)
        elif isinstance(part, FeedForwardLayer):
            nn.init.zeros_(part.linear2.weight)
    for layer in window.layers:
        assert isinstance(layer, DecoderLayer)
        cross = layer.cross_attention
        for projection in (cross.q_proj, cross.k_proj, cross.v_proj, cross.out_proj):
            nn.init.eye_(projection.weight)
    for embedding in (window.query_pos, window.frame_query_pos):
        embedding.weight.mul_(POSITION_SCALE)
    for linear in (window.query_value, window.memory_value):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)


def _parts(name: str) -> InstFormer:
    """Return a model that comes with ovvis, with weights as they are stored."""
    spec = CATALOG[name]
    assert isinstance(spec, InstFormerSpec) and spec.weights is not None, f"{name} comes with ovvis"
    network = spec.build()
    load_weights(network, ZOO / spec.weights.file_name, sha256=spec.weights.sha256)
    return network.eval()


def _spec(recipe: GenVISRecipe) -> GenVISSpec:
    spec = CATALOG[recipe.model]
    assert isinstance(spec, GenVISSpec), f"{recipe.model} is not a GenVIS"
    return spec
