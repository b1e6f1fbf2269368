"""Where the mask losses look: around the object as well, or a small one would hardly be seen."""

import pytest
import torch

from ovvis_models.losses.masks import PointSampling, uncertain_points
from ovvis_models.losses.points import drawn_into, random_points, read_points, surroundings


@pytest.fixture
def masks() -> torch.Tensor:
    """One of 4 x 4 pixels, one of a single pixel in a corner, in 64 x 128."""
    masks = torch.zeros(2, 1, 64, 128)
    masks[0, 0, 20:24, 40:44] = 1.0
    masks[1, 0, 63, 127] = 1.0
    return masks


def test_surroundings_are_half_as_large_again_and_in_the_image(masks: torch.Tensor) -> None:
    expected = torch.tensor([[39 / 128, 19 / 64, 45 / 128, 25 / 64], [126.75 / 128, 62.75 / 64, 1.0, 1.0]])
    torch.testing.assert_close(surroundings(masks), expected)


def test_the_first_share_of_the_points_is_drawn_into_the_box(masks: torch.Tensor) -> None:
    boxes = surroundings(masks)
    points = random_points(2, num_points=40, like=masks, generator=torch.Generator().manual_seed(1))
    drawn = drawn_into(boxes, points, share=0.25)
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    assert ((drawn[:, :10] >= low) & (drawn[:, :10] <= high)).all()
    assert torch.equal(drawn[:, 10:], points[:, 10:])


def test_a_small_object_is_seen(masks: torch.Tensor) -> None:
    shares = []
    for local in (0.0, 0.5):
        points = uncertain_points(
            torch.randn(2, 1, 16, 32, generator=torch.Generator().manual_seed(2)),
            sampling=PointSampling(num_points=400, local=local),
            boxes=surroundings(masks) if local else None,
            generator=torch.Generator().manual_seed(3),
        )
        assert points.shape == (2, 400, 2)
        shares.append(float((read_points(masks, points)[0] > 0.5).float().mean()))
    without, with_local = shares
    assert without < 0.004
    assert with_local > 0.04
