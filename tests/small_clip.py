"""Small CLIP models with random weights."""

import dataclasses

import torch
from open_clip.model import CLIP

from ovvis_models.networks.clip import ClipSpec, TextSpec, VisionSpec, build_clip

SMALL_TEXT = TextSpec(context_length=16, vocab_size=49408, width=32, heads=2, layers=2)
SMALL = ClipSpec(
    embed_dim=24,
    vision=VisionSpec(image_size=64, patch_size=16, width=48, layers=3, head_width=12),
    text=SMALL_TEXT,
    quick_gelu=True,
)


def lively_clip(spec: ClipSpec, *, seed: int = 0) -> CLIP:
    """A CLIP whose random weights are large enough that attention is far from uniform."""
    torch.manual_seed(seed)
    clip = build_clip(spec).eval()
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            if "in_proj_weight" in name:
                parameter.mul_(2.0)
            elif parameter.ndim == 1 and "embedding" not in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return clip


def with_small_text(spec: ClipSpec) -> ClipSpec:
    return dataclasses.replace(spec, text=SMALL_TEXT)
