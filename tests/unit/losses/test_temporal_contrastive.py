import math

import pytest
import torch

from ovvis_models.losses.temporal_contrastive import temporal_contrastive_loss, temporal_match_loss

ALL = torch.ones(3, dtype=torch.bool)


def test_equals_the_formula():
    generator = torch.Generator().manual_seed(0)
    predicted, actual = torch.randn((2, 3, 6), generator=generator)
    cosine = torch.nn.functional.cosine_similarity(predicted[:, None], actual[None], dim=-1)
    by_hand = -sum(
        math.log(math.exp(cosine[i, i] / 0.2) / sum(math.exp(cosine[i, j] / 0.2) for j in range(3)))
        for i in range(3)
    )
    found = temporal_contrastive_loss(predicted, actual, predicted_valid=ALL, next_valid=ALL, temperature=0.2)
    assert found.item() == pytest.approx(by_hand / 3, rel=1e-5)


def test_invisible_objects_count_neither_as_rows_nor_as_negatives():
    predicted, actual = torch.randn((2, 3, 6))
    visible = torch.tensor([True, True, False])
    found = temporal_contrastive_loss(
        predicted, actual, predicted_valid=ALL, next_valid=visible, temperature=0.1
    )
    alone = temporal_contrastive_loss(
        predicted[:2], actual[:2], predicted_valid=ALL[:2], next_valid=ALL[:2], temperature=0.1
    )
    assert found.item() == pytest.approx(alone.item())


def test_new_objects_are_negatives_only():
    predicted, actual = torch.eye(3), torch.eye(3)
    seen = torch.tensor([True, False, True])
    actual[1] = actual[0]  # a newcomer that looks like object 0
    alone = temporal_contrastive_loss(
        predicted, actual, predicted_valid=seen, next_valid=seen, temperature=0.1
    )
    both = temporal_contrastive_loss(predicted, actual, predicted_valid=seen, next_valid=ALL, temperature=0.1)
    assert both.item() > alone.item() + 0.3


@pytest.mark.parametrize("loss", ["contrastive", "match"])
def test_without_objects_it_is_zero_and_can_be_back_propagated(loss):
    predicted = torch.randn((3, 6), requires_grad=True)
    none = torch.zeros(3, dtype=torch.bool)
    arguments = {"predicted_valid": none, "next_valid": none, "temperature": 0.1}
    value = (
        temporal_contrastive_loss(predicted, torch.randn((3, 6)), **arguments)
        if loss == "contrastive"
        else temporal_match_loss(predicted, torch.randn((3, 6)), threshold=0.5, **arguments)
    )
    value.backward()
    assert value.item() == 0.0
    assert not predicted.grad.any()


def test_match_loss_puts_the_boundary_at_the_threshold():
    """With cosines on the right sides of the threshold it is small, and it pushes from the wrong sides."""
    tokens = torch.eye(2)
    valid = ALL[:2]
    good = temporal_match_loss(
        tokens, tokens, predicted_valid=valid, next_valid=valid, temperature=0.05, threshold=0.5
    )
    swapped = temporal_match_loss(
        tokens, tokens.flip(0), predicted_valid=valid, next_valid=valid, temperature=0.05, threshold=0.5
    )
    assert good.item() < 1e-3
    assert swapped.item() > 10
