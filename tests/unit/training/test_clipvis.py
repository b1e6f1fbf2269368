"""What is particular to the training of a CLIP-VIS: a frozen CLIP, decoders that have learnt before."""

from dataclasses import replace

import pytest
import torch

from ovvis_cli.training.clipvis import start_decoders
from ovvis_cli.training.recipe import load_recipe
from ovvis_cli.training.stage_proposals import proposal_stage
from ovvis_models.catalog import CATALOG

RECIPE = load_recipe("clipvis-tiny")
FRESH = (
    "pixel_decoder.input_proj",
    "pixel_decoder.lateral",
    "query_decoder.object_head",
    "query_decoder.quality_head",
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CATALOG["clipvis-tiny"].build()


def test_decoders_start_from_another_models_but_for_what_reads_the_maps_and_the_heads(network):
    donor = CATALOG[RECIPE.decoders_from].build().proposals
    trained = donor.state_dict()
    clip = {name: value.clone() for name, value in network.proposals.backbone.state_dict().items()}
    start_decoders(network.proposals, trained=donor)
    for name, value in network.proposals.state_dict().items():
        if name.startswith("backbone."):
            assert torch.equal(value, clip[name.removeprefix("backbone.")])
        elif not name.startswith(FRESH):
            assert torch.equal(value, trained[name])


def test_the_decoders_learn_on_a_clip_that_does_not(network):
    small = replace(RECIPE.clipvis, frame_hw=(96, 160), final_frame_hw=(96, 160), num_points=128)
    stage = proposal_stage(
        small,
        network.proposals,
        name="clipvis",
        image_input=replace(CATALOG["clipvis-tiny"].proposal_input, short_side=96, max_side=160),
        device=torch.device("cpu"),
    )
    stage.model.train()
    learning = {name: value for name, value in stage.model.named_parameters() if value.requires_grad}
    assert learning
    assert not any(name.startswith("backbone.") for name in learning)
    batch = stage.collate([stage.draw(0), stage.draw(1)])
    optimizer = torch.optim.AdamW(learning.values(), lr=1e-3)
    totals = []
    for _ in range(6):
        losses = stage.losses(batch)
        assert set(losses) == {"object", "mask_bce", "dice", "heatmap", "quality"}
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.8 * totals[0]
    assert all(value.grad is not None for value in learning.values())
