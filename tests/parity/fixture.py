"""A fixture folder: what was computed (case.json), with which tensors (layout.json), and the results."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ovvis_models.backbones.swin import SwinSpec
from ovvis_models.converters.mask2former import from_published
from ovvis_models.networks.mask2former import BackboneSpec, Mask2Former, Mask2FormerSpec, build_mask2former
from ovvis_models.pillow_resize import resize_like_pillow
from ovvis_models.preprocess import ImageInput, geometry, prepare
from ovvis_models.structures import ImageGeometry
from tests.parity.weights_by_name import weights_of_layout

RESNET_BY_BLOCKS = {(3, 4, 6, 3): "resnet50", (3, 4, 23, 3): "resnet101"}
TIMM_STEM = "backbone.base.conv1.weight"
SWIN_STEM = "backbone.patch_embed.proj.weight"
NUM_POINTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One folder, read."""

    case: dict[str, Any]
    layout: dict[str, dict[str, Any]]
    arrays: dict[str, np.ndarray]

    @property
    def system(self) -> str:
        """Return the first word of the fixture's name: the system that it is of."""
        return str(self.case["fixture"]).split("-")[0]

    @property
    def frames(self) -> Tensor:
        """Return the input frames, RGB uint8 (F, H0, W0, 3)."""
        return torch.from_numpy(self.arrays["frames"])

    @property
    def geometry(self) -> ImageGeometry:
        """Return the input's geometry by the fixture's settings."""
        height, width = self.frames.shape[1:3]
        return geometry(
            (height, width),
            short_side=self.image_input.short_side,
            max_side=self.image_input.max_side,
            divisor=self.case["preprocessing"]["size_divisibility"],
        )

    def resized(self) -> Tensor:
        """Return the frames after our resize, uint8 (F, 3, h, w)."""
        return resize_like_pillow(self.frames, self.geometry.resized_hw)

    @property
    def image_input(self) -> ImageInput:
        """Return what the network wants to see by the fixture's settings."""
        settings = self.case["preprocessing"]
        return ImageInput(
            short_side=settings["min_size_test"],
            max_side=settings["max_size_test"],
            mean=tuple(settings["pixel_mean"]),
            std=tuple(settings["pixel_std"]),
            resize="pillow",
        )

    def images(self) -> Tensor:
        """Return the network's input, float32 (F, 3, H, W), from the raw frames."""
        wanted = self.image_input
        return prepare(self.frames, self.geometry, mean=wanted.mean, std=wanted.std, resize=wanted.resize)

    def mask2former(self) -> Mask2Former:
        """Return the network with the fixture's weights, float32, in evaluation mode."""
        network = build_mask2former(mask2former_spec(self.case["model"], self.layout))
        checkpoint = weights_of_layout(self.layout, gains=self.case["gain"])
        network.load_state_dict(from_published(checkpoint, network.state_dict()))
        return network.eval()


def read_fixture(folder: Path) -> Fixture:
    """Return the fixture of a folder."""
    with np.load(folder / "arrays.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    return Fixture(
        case=json.loads((folder / "case.json").read_text()),
        layout=json.loads((folder / "layout.json").read_text()),
        arrays=arrays,
    )


def mask2former_spec(model: dict[str, Any], layout: dict[str, dict[str, Any]]) -> Mask2FormerSpec:
    """Return the numbers of the fixture's network; those of its backbone are counted in the layout."""
    return Mask2FormerSpec(
        backbone=_swin_spec(layout) if SWIN_STEM in layout else _resnet_spec(layout),
        width=model["hidden_dim"],
        num_heads=model["heads"],
        encoder_layers=model["pixel_decoder_layers"],
        encoder_ffn_dim=model["pixel_decoder_ffn"],
        num_points=NUM_POINTS,
        decoder_layers=_number(model, "decoder_layers", "frame_decoder_layers"),
        decoder_ffn_dim=_number(model, "decoder_ffn", "frame_decoder_ffn"),
        queries="learned",
        num_queries=_number(model, "queries", "frame_queries"),
        num_classes=_number(model, "classes", "num_classes"),
    )


def _number(model: dict[str, Any], *names: str) -> int:
    """Return a number of the model by the first of its names: fixtures of GenVIS use others."""
    return int(next(model[name] for name in names if name in model))


def _resnet_spec(layout: dict[str, dict[str, Any]]) -> BackboneSpec:
    if TIMM_STEM in layout:
        blocks = _num_blocks(layout, "backbone.base.layer{}.{}.conv1.weight", stages=(1, 2, 3, 4))
    else:
        blocks = _num_blocks(layout, "backbone.res{}.{}.conv1.weight", stages=(2, 3, 4, 5))
    return BackboneSpec(name=RESNET_BY_BLOCKS[blocks], norm="frozen")


def _swin_spec(layout: dict[str, dict[str, Any]]) -> SwinSpec:
    bias = "backbone.layers.{}.blocks.{}.attn.relative_position_bias_table"
    tables = [layout[bias.format(stage, 0)]["shape"] for stage in range(4)]
    return SwinSpec(
        name="swin",
        width=layout[SWIN_STEM]["shape"][0],
        depths=_num_blocks(layout, bias, stages=(0, 1, 2, 3)),
        num_heads=tuple(heads for _, heads in tables),
        window_size=(math.isqrt(tables[0][0]) + 1) // 2,
    )


def _num_blocks(layout: dict[str, dict[str, Any]], name: str, *, stages: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sum(name.format(stage, block) in layout for block in range(64)) for stage in stages)
