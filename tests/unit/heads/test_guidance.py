import math

import pytest
import torch

from ovvis_models.heads.guidance import BinaryGuidance, LogProbabilityGuidance

CERTAIN = 100.0


def test_bias_is_the_logarithm_of_the_covered_share() -> None:
    mask_logits = torch.full((1, 1, 4, 8), -CERTAIN)
    mask_logits[0, 0, :, :4] = CERTAIN  # the left patch wholly
    mask_logits[0, 0, :2, 4:6] = CERTAIN  # the right patch by a quarter
    bias = LogProbabilityGuidance()(mask_logits, (1, 2))
    torch.testing.assert_close(bias, torch.tensor([[[0.0, math.log(0.25)]]]))


def test_bias_uses_the_value_of_the_logits_not_only_their_sign() -> None:
    mask_logits = torch.tensor([[[[3.0, 1.0, -1.0, -3.0]]]])
    bias = LogProbabilityGuidance()(mask_logits, (1, 4))
    expected = mask_logits.sigmoid().log().flatten(2) - mask_logits[..., 0].sigmoid().log()
    torch.testing.assert_close(bias, expected)


def test_small_object_keeps_its_best_patch_unrestricted() -> None:
    mask_logits = torch.full((1, 1, 32, 32), -CERTAIN)
    mask_logits[0, 0, 3, 3] = CERTAIN  # one pixel of an 8x8 patch
    bias = LogProbabilityGuidance()(mask_logits, (4, 4))
    assert bias[0, 0, 0] == 0
    assert (bias[0, 0, 1:] == -8).all()


def test_biases_end_at_the_floor() -> None:
    mask_logits = torch.tensor([[[[20.0, -20.0]]]])
    assert LogProbabilityGuidance(floor=-5.0)(mask_logits, (1, 2)).tolist() == [[[0.0, -5.0]]]


def test_a_mask_that_is_nowhere_restricts_nothing() -> None:
    bias = LogProbabilityGuidance()(torch.full((1, 1, 8, 8), -1000.0), (2, 2))
    assert bias.tolist() == [[[0.0] * 4]]


def test_full_mask_restricts_nothing() -> None:
    assert not LogProbabilityGuidance()(torch.full((2, 3, 8, 8), CERTAIN), (3, 5)).any()


@pytest.mark.parametrize("grid_hw", [(2, 3), (16, 24), (5, 7), (2, 24)])
def test_any_grid_keeps_the_place_of_the_object(grid_hw: tuple[int, int]) -> None:
    mask_logits = torch.full((1, 1, 8, 12), -CERTAIN)
    mask_logits[..., 4:, 8:] = CERTAIN  # bottom right
    bias = LogProbabilityGuidance()(mask_logits, grid_hw).reshape(grid_hw)
    assert bias[-1, -1] == 0
    assert bias[0, 0] == -8


def test_no_proposals_give_no_biases() -> None:
    for mask_hw in ((8, 8), (2, 2)):
        assert LogProbabilityGuidance()(torch.zeros(2, 0, *mask_hw), (3, 4)).shape == (2, 0, 12)


def test_floor_must_be_negative() -> None:
    with pytest.raises(ValueError, match="must be negative"):
        LogProbabilityGuidance(floor=0.0)


def test_binary_guidance_allows_patches_with_any_pixel() -> None:
    mask_logits = torch.full((1, 1, 4, 8), -0.1)
    mask_logits[0, 0, 3, 7] = 0.1
    assert BinaryGuidance()(mask_logits, (1, 2)).tolist() == [[[-math.inf, 0.0]]]
