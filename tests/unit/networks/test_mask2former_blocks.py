"""Blocks of the proposal network against plain formulations of the same mathematics."""

import pytest
import torch
import torch.nn.functional as F

from ovvis_models.blocks.position import sine_position
from ovvis_models.blocks.transformer_layers import AttentionLayer
from ovvis_models.blocks.weighted_bags import weighted_bags
from ovvis_models.decoders.object_heads import ClosedSetHead
from ovvis_models.decoders.queries import best_places
from ovvis_models.decoders.query_decoder import allowed_places, inside_masks, shrink_to


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


def test_shrinking_commutes_with_the_product() -> None:
    torch.manual_seed(0)
    pixel_embeds, level = torch.randn(2, 8, 16, 24).double(), torch.empty(2, 1, 4, 6)
    mask_embeds = torch.randn(2, 3, 8).double()
    logits = torch.einsum("bqc,bchw->bqhw", mask_embeds, pixel_embeds)
    resized = F.interpolate(logits, size=(4, 6), mode="bilinear", align_corners=False).flatten(2)
    assert torch.equal(inside_masks(mask_embeds, shrink_to(pixel_embeds, level)), resized >= 0)


def test_a_query_with_an_empty_mask_looks_everywhere() -> None:
    pixel_embeds = torch.ones(1, 2, 6)
    mask_embeds = torch.tensor([[[1.0, 1.0], [-1.0, -1.0]]])
    assert not inside_masks(mask_embeds, pixel_embeds)[0, 1].any()
    assert allowed_places(mask_embeds, pixel_embeds).all()


def test_best_places_are_maxima_first_then_the_next_best() -> None:
    logits = torch.zeros(1, 5, 6)
    logits[0, 1, 1], logits[0, 1, 2], logits[0, 4, 5] = 9.0, 8.0, 3.0
    places = best_places(logits, num_places=2)[0].tolist()
    assert places == [1 * 6 + 1, 4 * 6 + 5]  # the neighbour of the best is no maximum
    assert sorted(best_places(logits, num_places=30)[0].tolist()) == list(range(30))
    with pytest.raises(ValueError, match="31 queries do not fit"):
        best_places(logits, num_places=31)


def test_object_logit_of_a_closed_set_is_one_minus_no_object() -> None:
    logits = torch.randn(2, 3, 6, dtype=torch.double)
    score = ClosedSetHead(8, num_classes=5).object_logit(logits).sigmoid()
    torch.testing.assert_close(score, 1 - logits.softmax(dim=-1)[..., -1])
