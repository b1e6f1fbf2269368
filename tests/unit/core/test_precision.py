"""Weights rounded once give what autocast gives that rounds them for every batch."""

import pytest
import torch

from ovvis_models.catalog import find_spec
from ovvis_models.loading import ready
from ovvis_models.precision import BESIDE_ENCODE, round_weights


def predicted(network, frames) -> dict[str, torch.Tensor]:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        prediction = network.predict(frames)
    proposals = prediction.proposals
    return {
        "masks": proposals.mask_logits,
        "objects": proposals.object_logits,
        "queries": proposals.query_embeds,
        "tokens": prediction.instance_tokens,
    }


@pytest.mark.parametrize("name", ["instformer-tiny", "clipvis-tiny"])
def test_rounding_once_gives_the_same_bits(name: str) -> None:
    torch.manual_seed(0)
    network = ready(find_spec(name).build())
    frames = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    before = predicted(network, frames)
    round_weights(network, torch.bfloat16)
    after = predicted(network, frames)
    for key, value in before.items():
        assert torch.equal(value, after[key]), key


def test_what_predict_does_not_run_and_what_is_no_factor_stays_as_it_is() -> None:
    network = find_spec("instformer-tiny").build()
    round_weights(network, torch.bfloat16)
    rounded = {name for name, weight in network.named_parameters() if weight.dtype == torch.bfloat16}
    assert "proposals.query_decoder.mask_embed.layers.0.weight" in rounded
    assert not any(name.split(".")[0] in BESIDE_ENCODE or "norm" in name or "ln_" in name for name in rounded)
    assert "proposals.query_decoder.level_embed.weight" not in rounded
