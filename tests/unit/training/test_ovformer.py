"""What is particular to the training of an OVFormer: windows, frozen parts, names of queries."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.training.ovformer import start
from ovvis_cli.training.recipe import load_recipe
from ovvis_cli.training.stage_alignment import alignment_stage, kinds_of_queries, named_loss, trained_parts
from ovvis_cli.training.windows import NO_NAME, WindowSource, collate
from ovvis_models.blocks.decoder_output import DecoderOutput, QueryOrigin
from ovvis_models.losses.targets import Target
from ovvis_models.systems.ov2seg import LOGIT_SCALE

RECIPE = load_recipe("ovformer-tiny")
SETTINGS = replace(
    RECIPE.alignment,
    frame_hw=(64, 96),
    num_objects=(2, 3),
    window_lengths=(1, 2),
    batches_per_round=2,
    readings=3,
    num_points=64,
    schedule=replace(RECIPE.alignment.schedule, batch_size=2),
)
CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = start(RECIPE)
    network.image_input = replace(network.image_input, short_side=64, max_side=128)
    return network


def test_it_starts_from_another_models_clip_and_decoders(network):
    tower = network.frame_features.visual
    maps = network.proposals.backbone
    assert torch.equal(maps.stem[0].weight, tower.conv1.weight)
    assert maps.stem[0] is not tower.conv1  # norms of the backbone are folded after loading
    assert not any(value.requires_grad for value in (*tower.parameters(), *maps.parameters()))
    frames = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    network.eval()
    one, other = network.frame_features(frames)
    assert one.shape == (192,)
    assert not torch.allclose(one, other, atol=1e-3)


def test_the_batches_of_a_round_are_read_several_times_in_turn():
    source = WindowSource(SETTINGS)
    batches = [[source.draw(2 * batch + place) for place in range(2)] for batch in range(7)]
    assert [batch[0].batch_number for batch in batches] == [0, 1, 0, 1, 0, 1, 2]
    assert [batch[0].num_frames for batch in batches] == [1, 2, 1, 2, 1, 2, 1]
    again = WindowSource(SETTINGS).draw(2)
    for sample in (batches[1][0], batches[3][0]):
        assert np.array_equal(sample.stacked.image, again.stacked.image)
    assert not np.array_equal(batches[0][0].stacked.image, batches[0][1].stacked.image)


def test_frames_of_a_window_are_stacked_and_taken_apart():
    source = WindowSource(SETTINGS)
    samples = [source.draw(2), source.draw(3)]  # windows of two frames
    batch = collate(samples)
    assert batch.frames.shape == (4, 64, 96, 3)
    for index, sample in enumerate(samples):
        assert sample.stacked.image.shape == (128, 96, 3)
        assert np.array_equal(batch.frames[2 * index + 1].numpy(), sample.stacked.image[64:])
        assert len(sample.kind_indices) == len(sample.stacked.masks)
    assert len(batch.kind_indices) == sum(batch.stacked.num_objects)
    assert all(NO_NAME <= index < len(BASE_KINDS) for index in batch.kind_indices.tolist())


def test_a_query_has_the_kind_of_the_object_that_it_starts_on():
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[0, :4, :4] = masks[1, 4:, 4:] = True
    target = Target(masks=masks, centers=torch.zeros(2, 2), radii=torch.ones(2))
    points = torch.tensor([[[0.8, 0.8], [0.2, 0.2], [0.8, 0.2]]])  # second object, first, none
    output = DecoderOutput(layers=(), origin=QueryOrigin(heatmap_logits=torch.zeros(1, 2, 2), points=points))
    found = kinds_of_queries(output, [target], torch.tensor([7, 3]))
    assert found.tolist() == [[3, 7, NO_NAME]]


def test_queries_without_a_name_take_no_part_in_the_class_loss():
    logits = torch.randn(1, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    kinds = torch.tensor([[2, NO_NAME, NO_NAME]])
    loss = named_loss(logits, kinds, num_classes=4)
    changed = logits.clone()
    changed[:, :, 1:] += 5
    assert named_loss(changed, kinds, num_classes=4) == loss


def test_decoder_and_alignment_learn_and_the_rest_is_frozen(network):
    stage = alignment_stage(SETTINGS, network, logit_scale=LOGIT_SCALE, device=CPU)
    learning = {name: value for name, value in stage.model.named_parameters() if value.requires_grad}
    assert not any("heatmap" in name for name in learning)
    assert {name.split(".")[0] for name in learning} == {"query_decoder", "alignment"}
    frozen = {name: value.clone() for name, value in network.proposals.pixel_decoder.state_dict().items()}
    stage.model.train()
    batches = [stage.collate([stage.draw(2 * batch), stage.draw(2 * batch + 1)]) for batch in range(2)]
    optimizer = torch.optim.AdamW(learning.values(), lr=1e-3)
    totals = []
    for step in range(8):
        losses = stage.losses(batches[step % 2])
        assert set(losses) == {"object", "mask_bce", "dice", "classes"}
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert sum(totals[-2:]) < 0.8 * sum(totals[:2])
    assert all(value.grad is not None for value in learning.values())
    for name, value in network.proposals.pixel_decoder.state_dict().items():
        assert torch.equal(value, frozen[name])


def test_the_trained_parts_of_a_checkpoint_fit_the_network(network):
    names = set(trained_parts(network).state_dict())
    assert {name.split(".")[0] for name in names} == {"query_decoder", "alignment"}
    assert len(names) == len(network.proposals.query_decoder.state_dict()) + len(
        network.alignment.state_dict()
    )
