"""The fast deformable attention against the plain reference."""

import pytest
import torch

from ovvis_models.blocks.deformable_attention import (
    DeformableAttention,
    LevelShapes,
    sample_levels,
    softmax_of_few,
)
from ovvis_models.blocks.deformable_attention_reference import deformable_attention_reference
from ovvis_models.decoders.pixel_decoder import pixel_centers

SHAPES = LevelShapes(((2, 3), (4, 7), (9, 13)))
BATCH, HEADS, WIDTH, POINTS = 2, 3, 4, 2


def random_layer(dtype: torch.dtype) -> DeformableAttention:
    """A layer with weights large enough that about a third of its points lie outside the maps."""
    torch.manual_seed(0)
    layer = DeformableAttention(HEADS * WIDTH, num_heads=HEADS, num_levels=3, num_points=POINTS).to(dtype)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def random_inputs(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    query = torch.randn(BATCH, SHAPES.num_tokens, HEADS * WIDTH, dtype=dtype, requires_grad=True)
    value = torch.randn(BATCH, SHAPES.num_tokens, HEADS * WIDTH, dtype=dtype, requires_grad=True)
    return query, value


def share_of_points_outside(layer: DeformableAttention, query: torch.Tensor) -> float:
    offsets = layer.sampling_offsets(query).unflatten(-1, (HEADS, 3, POINTS, 2))
    extents = torch.tensor([(w, h) for h, w in SHAPES.sizes], dtype=query.dtype)[:, None]
    places = pixel_centers(SHAPES, like=query)[:, None, None, None] + offsets / extents
    return ((places < 0) | (places > 1)).any(dim=-1).double().mean().item()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_fast_form_equals_the_reference_forward_and_backward(dtype: torch.dtype, tolerance: float) -> None:
    layer = random_layer(dtype)
    query, value = random_inputs(dtype)
    points = pixel_centers(SHAPES, like=query)
    assert 0.2 < share_of_points_outside(layer, query) < 0.8
    fast = layer(query, value=value, reference_points=points, shapes=SHAPES)
    plain = deformable_attention_reference(layer, query, value=value, reference_points=points, shapes=SHAPES)
    torch.testing.assert_close(fast, plain, rtol=tolerance, atol=tolerance)
    inputs = (query, value, *layer.parameters())
    grad = torch.randn_like(fast)
    for ours, reference in zip(
        torch.autograd.grad(fast, inputs, grad), torch.autograd.grad(plain, inputs, grad), strict=True
    ):
        scale = reference.abs().max().item()
        torch.testing.assert_close(ours, reference, rtol=tolerance, atol=tolerance * max(1.0, scale))


@pytest.mark.parametrize(("right", "down"), [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_places_far_outside_read_nothing(right: int, down: int) -> None:
    value = torch.ones(1, SHAPES.num_tokens, HEADS, WIDTH)
    far = torch.full((1, 5, HEADS, 3, POINTS), 1e6)
    read = sample_levels(value, shapes=SHAPES, x=right * far, y=down * far, weights=torch.ones_like(far))
    assert read.abs().max() == 0


def test_softmax_of_few_is_softmax() -> None:
    torch.manual_seed(0)
    logits = (torch.randn(5, 12, dtype=torch.double) * 300).requires_grad_()
    ours, usual = softmax_of_few(logits), logits.softmax(dim=-1)
    torch.testing.assert_close(ours, usual)
    grad = torch.randn_like(ours)
    torch.testing.assert_close(
        torch.autograd.grad(ours, logits, grad), torch.autograd.grad(usual, logits, grad)
    )
