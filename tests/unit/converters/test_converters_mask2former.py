"""Published layouts of Mask2Former to our names and back, for every backbone, and what is said of misfits."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ovvis_models.backbones.swin import SWIN_B, SWIN_L, SWIN_S, SWIN_T, SwinSpec
from ovvis_models.converters.checkpoint_files import read_checkpoint
from ovvis_models.converters.mask2former import (
    from_detectron2,
    from_published,
    is_mask2former,
    to_detectron2,
)
from ovvis_models.converters.mask2former_kind import kind_of
from ovvis_models.errors import MismatchedWeightsError
from ovvis_models.networks.mask2former import (
    BackboneSpec,
    Mask2Former,
    Mask2FormerSpec,
    build_mask2former,
)

R50 = Mask2FormerSpec(
    backbone=BackboneSpec(name="resnet50", norm="frozen"),
    width=256,
    num_heads=8,
    encoder_layers=6,
    encoder_ffn_dim=1024,
    num_points=4,
    decoder_layers=9,
    decoder_ffn_dim=2048,
    queries="learned",
    num_queries=100,
    num_classes=80,
)
State = dict[str, torch.Tensor]


def on_meta(spec: Mask2FormerSpec) -> Mask2Former:
    with torch.device("meta"):
        return build_mask2former(spec)


@pytest.mark.parametrize(
    ("backbone", "num_entries", "num_indices", "millions"),
    [
        (BackboneSpec(name="resnet50", norm="frozen"), 558, 0, 43.97),
        (BackboneSpec(name="resnet101", norm="frozen"), 813, 0, 62.9),
        (SWIN_T, 482, 12, 47.4),
        (SWIN_S, 650, 24, 68.7),
        (SWIN_B, 650, 24, 106.9),
        (replace(SWIN_L), 650, 24, 215.5),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_official_entries_are_all_there(
    backbone: BackboneSpec | SwinSpec, num_entries: int, num_indices: int, millions: float
) -> None:
    network = on_meta(replace(R50, backbone=backbone, num_queries=200 if backbone is SWIN_L else 100))
    official = to_detectron2(network.state_dict())
    # beside ours they count the class weights of the loss and Swin's tables of relative positions
    assert len(official) + 1 + num_indices == num_entries
    assert sum(x.numel() for x in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.15)
    assert from_detectron2(official, network.state_dict()).keys() == network.state_dict().keys()


def test_official_names_of_swin() -> None:
    names = to_detectron2(on_meta(replace(R50, backbone=SWIN_T)).state_dict())
    shapes = {name: tuple(x.shape) for name, x in names.items()}
    assert shapes["backbone.patch_embed.proj.weight"] == (96, 3, 4, 4)
    assert shapes["backbone.patch_embed.norm.bias"] == (96,)
    assert shapes["backbone.layers.2.blocks.5.attn.relative_position_bias_table"] == (169, 12)
    assert shapes["backbone.layers.2.blocks.5.attn.qkv.weight"] == (1152, 384)
    assert shapes["backbone.layers.3.blocks.1.mlp.fc2.weight"] == (768, 3072)
    assert shapes["backbone.layers.0.downsample.norm.weight"] == (384,)
    assert shapes["backbone.layers.2.downsample.reduction.weight"] == (768, 1536)
    assert shapes["backbone.norm3.weight"] == (768,)


SMALL = replace(
    R50,
    backbone=SwinSpec(name="small", width=16, depths=(2, 1, 1, 1), num_heads=(1, 2, 2, 4), window_size=4),
    width=32,
    encoder_layers=2,
    decoder_layers=3,
    num_queries=5,
    num_classes=3,
)


def test_a_swin_file_with_tables_and_loss_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_mask2former(SMALL)
    official = to_detectron2(network.state_dict())
    arrays = {name: tensor.numpy() for name, tensor in official.items()}
    arrays["backbone.layers.0.blocks.1.attn.relative_position_index"] = np.zeros((16, 16), dtype=np.int64)
    arrays["criterion.empty_weight"] = np.ones(4, dtype=np.float32)
    path = tmp_path / "model_final.pkl"

    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "x"}))
    found = from_published(read_checkpoint(path), network.state_dict())
    assert all(torch.equal(found[name], x) for name, x in network.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": SWIN_L}, "this looks like a Swin-L checkpoint; the model needs ResNet-50"),
        ({"backbone": SWIN_T}, "this looks like a Swin-T checkpoint; the model needs ResNet-50"),
        (
            {"backbone": BackboneSpec(name="resnet101", norm="frozen")},
            "this looks like a ResNet-101 checkpoint; the model needs ResNet-50",
        ),
        ({"num_queries": 200}, "this checkpoint has 200 queries; the model needs 100"),
        ({"num_classes": 40}, "this checkpoint has 40 classes; the model needs 80"),
    ],
)
def test_the_report_says_what_the_checkpoint_is(change: dict[str, object], message: str) -> None:
    checkpoint = to_detectron2(on_meta(replace(R50, **change)).state_dict())
    assert is_mask2former(checkpoint)
    with pytest.raises(MismatchedWeightsError) as caught:
        from_published(checkpoint, on_meta(R50).state_dict())
    assert caught.value.message == message


def test_other_misfits_are_listed() -> None:
    checkpoint = to_detectron2(on_meta(R50).state_dict())
    del checkpoint["sem_seg_head.pixel_decoder.mask_features.weight"]
    with pytest.raises(MismatchedWeightsError, match=r"1 tensors missing: .*mask_features\.weight"):
        from_published(checkpoint, on_meta(R50).state_dict())
    assert not is_mask2former({"visual.conv1.weight": torch.zeros(1)})


def test_unknown_sizes_are_described_by_numbers() -> None:
    kind = kind_of(on_meta(SMALL).state_dict())
    assert kind.backbone == "Swin (of width 16, with 1 blocks in its third stage)"
    assert (kind.num_queries, kind.num_classes) == (5, 3)
    assert kind_of({"a": torch.zeros(2)}).backbone is None
