"""Blocks against plain formulations of the same mathematics."""

import pytest
import torch

from ovvis_models.blocks.position import sine_position
from ovvis_models.blocks.transformer_layers import AttentionLayer
from ovvis_models.blocks.weighted_bags import weighted_bags


def test_gradients_of_weighted_bags() -> None:
    torch.manual_seed(0)
    table = torch.randn(7, 3, dtype=torch.double, requires_grad=True)
    weights = torch.randn(5, 4, dtype=torch.double, requires_grad=True)
    indices = torch.randint(0, 7, (5, 4), dtype=torch.int32)
    torch.testing.assert_close(
        weighted_bags(table, indices=indices, weights=weights),
        (table[indices.long()] * weights[..., None]).sum(dim=1),
    )
    assert torch.autograd.gradcheck(
        lambda t, w: weighted_bags(t, indices=indices, weights=w), (table, weights)
    )


def test_position_runs_to_two_pi_y_first() -> None:
    code = sine_position((4, 6), width=8, dtype=torch.double, device=torch.device("cpu"))
    assert code.shape == (4, 6, 8)
    assert (code[:, :1] == code[:, 1:])[..., :4].all()  # y does not change along a row
    assert (code[:1] == code[1:])[..., 4:].all()
    angle = torch.tensor(2 * torch.pi / 4 * 1, dtype=torch.double)
    torch.testing.assert_close(code[0, 0, 0], angle.sin(), atol=1e-5, rtol=0)
    torch.testing.assert_close(code[0, 0, 1], angle.cos(), atol=1e-5, rtol=0)
    torch.testing.assert_close(code[3, 0, 1], torch.tensor(1.0, dtype=torch.double), atol=1e-5, rtol=0)


def test_position_needs_a_multiple_of_four() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        sine_position((4, 6), width=6, dtype=torch.float32, device=torch.device("cpu"))


def test_attention_equals_the_library_and_keeps_to_what_is_allowed() -> None:
    torch.manual_seed(0)
    layer = AttentionLayer(16, num_heads=4)
    plain = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        plain.in_proj_weight.copy_(torch.cat([layer.q_proj.weight, layer.k_proj.weight, layer.v_proj.weight]))
        plain.out_proj.weight.copy_(layer.out_proj.weight)
    x, memory = torch.randn(2, 5, 16), torch.randn(2, 9, 16)
    allowed = torch.rand(2, 5, 9) > 0.5
    allowed[..., 0] = True
    expected, _ = plain(x, memory, memory, attn_mask=~allowed.repeat_interleave(4, dim=0))
    ours = layer(x, query=x, key=memory, value=memory, allowed=allowed)
    torch.testing.assert_close(ours, layer.norm(x + expected))
