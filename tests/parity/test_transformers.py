"""Our network equals Mask2Former of the transformers library, with weights that went through its files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ovvis_models.backbones.swin import SwinSpec
from ovvis_models.converters.checkpoint_files import read_checkpoint
from ovvis_models.converters.mask2former import from_published, is_mask2former, to_detectron2
from ovvis_models.converters.mask2former_hub import detectron2_to_hub
from ovvis_models.errors import MismatchedWeightsError
from ovvis_models.networks.mask2former import (
    BackboneSpec,
    Mask2Former,
    Mask2FormerSpec,
    build_mask2former,
)

transformers = pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore"),  # of the library, about a backbone that it did not expect
]

SWIN = SwinSpec(name="small", width=16, depths=(1, 2, 2, 2), num_heads=(1, 2, 2, 4), window_size=4)
SMALL = Mask2FormerSpec(
    backbone=SWIN,
    width=32,
    num_heads=4,
    encoder_layers=2,
    encoder_ffn_dim=48,
    num_points=4,
    decoder_layers=3,
    decoder_ffn_dim=64,
    queries="learned",
    num_queries=7,
    num_classes=3,
)
R50 = replace(
    SMALL,
    backbone=BackboneSpec(name="resnet50", norm="frozen"),
    width=256,
    num_heads=8,
    encoder_layers=6,
    encoder_ffn_dim=1024,
    decoder_layers=9,
    decoder_ffn_dim=2048,
    num_queries=100,
    num_classes=80,
)
TOLERANCE = 1e-9  # of the largest value, in double precision
State = dict[str, torch.Tensor]


def their_network(spec: Mask2FormerSpec) -> torch.nn.Module:
    """Return the library's network of the same numbers with random weights."""
    stages = [f"stage{index}" for index in range(1, 5)]
    if isinstance(spec.backbone, SwinSpec):
        backbone = transformers.SwinConfig(
            embed_dim=spec.backbone.width,
            depths=list(spec.backbone.depths),
            num_heads=list(spec.backbone.num_heads),
            window_size=spec.backbone.window_size,
            image_size=64,
            out_features=stages,
        )
    else:
        backbone = transformers.ResNetConfig(out_features=stages)  # its defaults are ResNet-50
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=spec.width,
        mask_feature_size=spec.width,
        hidden_dim=spec.width,
        encoder_feedforward_dim=spec.encoder_ffn_dim,
        encoder_layers=spec.encoder_layers,
        decoder_layers=spec.decoder_layers + 1,  # it counts the heads
        num_attention_heads=spec.num_heads,
        dim_feedforward=spec.decoder_ffn_dim,
        num_queries=spec.num_queries,
        num_labels=spec.num_classes,
        use_auxiliary_loss=True,
    )
    network = transformers.Mask2FormerForUniversalSegmentation(config)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():  # its own start leaves much at zero
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point() and tensor.ndim <= 1:
                tensor.add_(torch.randn_like(tensor), alpha=0.1)
            elif "relative_position_bias" in name or "sampling_offsets" in name:
                tensor.add_(torch.randn_like(tensor), alpha=0.5)
    return network.eval()


@pytest.fixture(scope="module", params=["swin", "resnet50"])
def spec(request: pytest.FixtureRequest) -> Mask2FormerSpec:
    return SMALL if request.param == "swin" else R50


@pytest.fixture(scope="module")
def theirs(spec: Mask2FormerSpec) -> torch.nn.Module:
    torch.manual_seed(0)
    return their_network(spec)


@pytest.fixture(scope="module")
def checkpoint(theirs: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> State:
    folder: Path = tmp_path_factory.mktemp("hub")
    theirs.save_pretrained(folder)
    return read_checkpoint(folder / "model.safetensors")


def our_network(spec: Mask2FormerSpec, checkpoint: Mapping[str, torch.Tensor]) -> Mask2Former:
    network = build_mask2former(spec)
    network.load_state_dict(from_published(checkpoint, network.state_dict()))
    return network.eval()


@pytest.mark.parametrize("hw", [(64, 64), (96, 160)])
def test_outputs_are_equal(
    spec: Mask2FormerSpec, theirs: torch.nn.Module, checkpoint: State, hw: tuple[int, int]
) -> None:
    ours = our_network(spec, checkpoint).double()
    images = torch.randn(2, 3, *hw, generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        mask = torch.ones(2, *hw, dtype=torch.long)
        expected = theirs.double()(pixel_values=images, pixel_mask=mask, output_auxiliary_logits=True)
        found = ours(images)
    heads = [*expected.auxiliary_logits, vars_of(expected)]
    assert len(heads) == spec.decoder_layers + 1
    for head, layer in zip(heads, found.layers, strict=True):
        assert_equal(head["class_queries_logits"], layer.object_logits)
        assert_equal(head["masks_queries_logits"], layer.mask_logits)
    assert float(expected.masks_queries_logits.std()) > 0.01


def vars_of(output: object) -> State:
    return {
        "class_queries_logits": output.class_queries_logits,
        "masks_queries_logits": output.masks_queries_logits,
    }


def assert_equal(expected: torch.Tensor, found: torch.Tensor) -> None:
    scale = float(expected.abs().max())
    assert float((expected - found).abs().max()) <= TOLERANCE * scale


def test_names_come_and_go_with_nothing_left_over(spec: Mask2FormerSpec, checkpoint: State) -> None:
    assert is_mask2former(checkpoint)
    state = our_network(spec, checkpoint).state_dict()
    back = detectron2_to_hub(to_detectron2(state), checkpoint)
    unused = ("criterion.empty_weight", "num_batches_tracked", "swin.layernorm.weight", "swin.layernorm.bias")
    assert {name for name in checkpoint if not name.endswith(unused)} == back.keys()
    assert all(torch.equal(back[name], checkpoint[name]) for name in back)


def test_older_names_of_the_encoder(spec: Mask2FormerSpec, checkpoint: State) -> None:
    start = "model.pixel_level_module.encoder."
    old = {name.replace(start, start + "model."): tensor for name, tensor in checkpoint.items()}
    with torch.device("meta"):
        expected = build_mask2former(spec).state_dict()
    new, same = from_published(old, expected), from_published(checkpoint, expected)
    assert all(torch.equal(new[name], same[name]) for name in same)


def test_a_checkpoint_of_another_network_is_told(spec: Mask2FormerSpec, checkpoint: State) -> None:
    other = R50 if spec is SMALL else SMALL
    with torch.device("meta"):
        expected = build_mask2former(other).state_dict()
    with pytest.raises(MismatchedWeightsError, match="this looks like a .* checkpoint; the model needs"):
        from_published(checkpoint, expected)
