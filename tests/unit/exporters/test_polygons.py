"""One polygon per mask, from which pycocotools restores it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from ovvis_cli.exporters.polygons import changed_px, mask_polygon
from ovvis_cli.rle import encode_masks


def restored(polygon: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    return coco_mask.decode(coco_mask.frPyObjects([polygon.ravel().tolist()], *hw)[0]).astype(bool)


@settings(max_examples=200, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))))
def test_any_mask_is_restored_exactly(mask):
    mask[0, 0] |= not mask.any()
    polygon = mask_polygon(mask)
    assert len(polygon) >= 3
    np.testing.assert_array_equal(restored(polygon, mask.shape), mask)
    assert changed_px(polygon, encode_masks(mask[None])[0]) == 0


def test_a_polygon_is_inside_its_frame():
    polygon = mask_polygon(np.ones((5, 9), dtype=bool))
    assert polygon.min() > 0
    assert (polygon.max(axis=0) < (9, 5)).all()


def test_a_round_shape_needs_few_points():
    y, x = np.ogrid[:100, :100]
    disk = (y - 50) ** 2 + (x - 50) ** 2 < 40**2
    assert len(mask_polygon(disk)) < 200  # of 320 steps along its edge


def test_changed_pixels_are_counted():
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:5, 2:5] = True
    (rle,) = encode_masks(mask[None])
    assert changed_px(np.array([[2, 2], [5, 2], [5, 4], [2, 4]]), rle) == 3


@pytest.mark.parametrize("parts", [1, 2, 30])
def test_parts_are_joined_by_lines_that_enclose_nothing(parts):
    mask = np.zeros((40, 40), dtype=bool)
    for part in range(parts):
        mask[(7 * part) % 38, (11 * part) % 37] = True
    np.testing.assert_array_equal(restored(mask_polygon(mask), mask.shape), mask)
