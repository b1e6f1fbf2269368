"""Small OV2Seg and OVFormer models with random weights, and the files that would be published of them."""

from dataclasses import replace
from pathlib import Path

import torch

from ovvis_models.catalog import CATALOG
from ovvis_models.converters.ov2seg import official_state, to_official
from ovvis_models.networks.clip import ClipSpec, TextSpec, VisionSpec, build_clip

SMALL_CLIP = ClipSpec(
    embed_dim=16,
    vision=VisionSpec(image_size=32, patch_size=16, width=32, layers=1, head_width=16),
    text=TextSpec(context_length=16, vocab_size=49408, width=8, heads=2, layers=1),
    quick_gelu=True,
)


def small(name, *, window=None):
    spec = CATALOG[name]
    return replace(
        spec,
        clip=SMALL_CLIP,
        window=window or spec.window,
        proposals=replace(
            spec.proposals,
            backbone=replace(spec.proposals.backbone, name="resnet18"),
            width=32,
            num_heads=2,
            encoder_layers=1,
            encoder_ffn_dim=16,
            decoder_layers=2,
            decoder_ffn_dim=16,
            num_queries=6,
        ),
        proposal_input=replace(spec.proposal_input, short_side=64, max_side=128),
    )


def built(spec):
    torch.manual_seed(0)
    return spec.build().eval()


def published_files(spec, network, *, text=True):
    """The authors' file and CLIP's, with numbers of the network and what training leaves beside them."""
    torch.manual_seed(4)
    clip = build_clip(spec.clip).state_dict()
    naming = network.projection if spec.name.startswith("ov2seg") else network.alignment
    theirs = to_official(official_state(proposals=network.proposals, naming=naming))
    theirs |= {
        "sem_seg_head.predictor.class_embed.zs_weight": torch.randn(16, 1204),
        "criterion.empty_weight": torch.ones(1204),
        "criterion.freq_weight": torch.ones(1203),
        "backbone.base.bn1.num_batches_tracked": torch.tensor(0),
    }
    if not text:
        clip = {name: value for name, value in clip.items() if name.startswith("visual.")}
    part = "ov2seg" if spec.name.startswith("ov2seg") else "ovformer"
    return {part: (Path("model.pth"), theirs), "clip": (Path("clip.pt"), clip)}
