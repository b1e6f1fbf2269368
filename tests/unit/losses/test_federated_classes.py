"""The class loss over a sample of the classes."""

import pytest
import torch
import torch.nn.functional as F

from ovvis_models.losses.federated_classes import LOSS_SCALE, class_loss, sample_classes


def test_classes_of_the_batch_are_topped_up_with_frequent_ones():
    frequency = torch.tensor([1.0, 0.0, 1e6, 1.0, 0.0, 1e6, 4.0])
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        sampled = sample_classes(
            torch.tensor([3, 1, 3]), frequency=frequency, num_classes=4, generator=generator
        ).tolist()
        assert {1, 3} <= set(sampled)  # of frequency 0, but present
        assert len(sampled) == len(set(sampled)) == 4
        assert sampled == sorted(sampled)
        assert 4 not in sampled


@pytest.mark.parametrize(
    ("present", "num_classes", "expected"),
    [([2, 0, 2], 1, [0, 2]), ([1], 9, [0, 1, 2]), ([], 9, [0, 1, 2])],
)
def test_a_sample_has_all_that_are_present_and_no_more_than_there_are(present, num_classes, expected):
    present = torch.tensor(present, dtype=torch.long)
    sampled = sample_classes(present, frequency=torch.ones(3), num_classes=num_classes)
    assert sampled.tolist() == expected


def test_the_root_of_the_frequency_decides():
    frequency = torch.tensor([0.0, 1.0, 9.0])  # class 2 three times as often as class 1
    generator = torch.Generator().manual_seed(0)
    drawn = [
        sample_classes(torch.tensor([0]), frequency=frequency, num_classes=2, generator=generator)[1].item()
        for _ in range(400)
    ]
    assert drawn.count(2) / len(drawn) == pytest.approx(0.75, abs=0.07)


def test_each_sampled_class_counts_alone_and_others_do_not():
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    classes, sampled = torch.tensor([4, 0, 4]), torch.tensor([0, 2, 4])
    wanted = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 0, 1]])
    expected = sum(
        F.binary_cross_entropy_with_logits(layer[:, sampled], wanted, reduction="sum") for layer in logits
    )
    found = class_loss(logits, classes, sampled=sampled, num_queries=8)
    assert found.item() == pytest.approx(LOSS_SCALE * expected.item() / 8, rel=1e-5)
    changed = logits.clone()
    changed[..., [1, 3]] += 7
    assert class_loss(changed, classes, sampled=sampled, num_queries=8) == found


def test_without_named_queries_the_loss_is_zero_with_a_gradient():
    logits = torch.zeros(2, 0, 5, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    loss = class_loss(logits, none, sampled=torch.tensor([0, 1]), num_queries=8)
    loss.backward()
    assert loss.item() == 0
