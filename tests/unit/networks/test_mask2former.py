"""The proposal network as a whole, at a tiny size."""

from dataclasses import replace

import pytest
import torch

from ovvis_models.networks.mask2former import BackboneSpec, Mask2FormerSpec, build_mask2former

TINY = Mask2FormerSpec(
    backbone=BackboneSpec(name="resnet18", arguments={"channels": (8, 16, 24, 32)}, norm="batch"),
    width=32,
    num_heads=4,
    encoder_layers=1,
    encoder_ffn_dim=32,
    num_points=2,
    decoder_layers=3,
    decoder_ffn_dim=32,
    queries="guided",
    num_queries=6,
    num_classes=None,
)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("queries", ["guided", "learned"])
@pytest.mark.parametrize("num_classes", [None, 4])
def test_shapes_and_agreement_of_forward_and_propose(queries: str, num_classes: int | None) -> None:
    network = build_mask2former(replace(TINY, queries=queries, num_classes=num_classes)).eval()
    images = torch.randn(2, 3, 64, 96)
    output = network(images)
    assert len(output.layers) == TINY.decoder_layers + 1
    assert all(layer.mask_logits.shape == (2, 6, 16, 24) for layer in output.layers)
    columns = 1 if num_classes is None else num_classes + 1
    assert output.layers[0].object_logits.shape == (2, 6, columns)
    assert (output.origin is None) == (queries == "learned")
    proposals = network.propose(images)
    torch.testing.assert_close(proposals.mask_logits, output.layers[-1].mask_logits)
    torch.testing.assert_close(proposals.query_embeds, output.layers[-1].query_embeds)
    assert proposals.object_logits.shape == (2, 6)


def test_images_of_a_batch_do_not_see_each_other() -> None:
    network = build_mask2former(TINY).eval()
    images = torch.randn(2, 3, 64, 96)
    together, alone = network.propose(images), network.propose(images[1:])
    torch.testing.assert_close(together.mask_logits[1:], alone.mask_logits, rtol=1e-3, atol=1e-4)


def test_every_parameter_learns() -> None:
    network = build_mask2former(TINY)
    output = network(torch.randn(2, 3, 64, 96))
    assert output.origin is not None
    total = output.origin.heatmap_logits.square().mean()
    for layer in output.layers:
        total = total + layer.mask_logits.square().mean() + layer.object_logits.square().mean()
    total.backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not silent


def test_channels_last_changes_nothing_but_rounding() -> None:
    network = build_mask2former(TINY).eval()
    images = torch.randn(1, 3, 64, 96)
    plain = network.propose(images).query_embeds
    network = network.to(memory_format=torch.channels_last)
    other = network.propose(images.to(memory_format=torch.channels_last)).query_embeds
    torch.testing.assert_close(other, plain, rtol=1e-3, atol=1e-4)


def test_frozen_norm_keeps_the_state_of_batch_norm() -> None:
    frozen = replace(TINY, backbone=replace(TINY.backbone, norm="frozen"))
    names = build_mask2former(frozen).state_dict().keys()
    trained = {name for name in build_mask2former(TINY).state_dict() if "num_batches" not in name}
    assert names == trained
    assert not any("bn1" in name for name, _ in build_mask2former(frozen).named_parameters())
