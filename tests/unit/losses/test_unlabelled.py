"""Photographs with unlabelled objects: what is not labelled is not background."""

import pytest
import torch

from ovvis_models.losses.guided_criterion import pair_weights
from ovvis_models.losses.heatmap import heatmap_loss
from ovvis_models.losses.objectness import objectness_loss
from ovvis_models.losses.query_targets import query_targets
from ovvis_models.losses.targets import Target, gather_objects, gather_unlabelled


def _target(*boxes, unlabelled=None):
    masks = torch.zeros(len(boxes), 8, 8, dtype=torch.bool)
    for mask, (top, left, bottom, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    return Target(
        masks=masks, centers=torch.zeros(len(boxes), 2), radii=torch.ones(len(boxes)), unlabelled=unlabelled
    )


def test_a_query_on_an_unlabelled_part_counts_only_with_an_object():
    logits = torch.tensor([[[2.0, 2.0, 2.0]]])
    wanted = torch.tensor([[[1.0, 0.0, 0.0]]])
    unknown = torch.tensor([[True, True, False]])
    loss = objectness_loss(logits, wanted, no_object_weight=1.0, unknown=unknown)
    kept = objectness_loss(logits[..., [0, 2]], wanted[..., [0, 2]], no_object_weight=1.0)
    assert float(loss) == pytest.approx(float(kept))


def test_unlabelled_places_of_the_heatmap_are_no_negatives_but_centers_stay():
    logits, wanted = torch.full((1, 2, 2), 3.0), torch.zeros(1, 2, 2)
    wanted[0, 0, 0] = 1.0
    everywhere = torch.ones(1, 2, 2, dtype=torch.bool)
    only_center = heatmap_loss(logits, wanted, num_objects=1, unknown=everywhere)
    assert 0 < float(only_center) < float(heatmap_loss(logits, wanted, num_objects=1))


def test_unlabelled_parts_are_stacked_and_absent_where_all_is_labelled():
    area = torch.zeros(8, 8, dtype=torch.bool)
    area[:, 4:] = True
    targets = [_target((0, 0, 4, 4), unlabelled=area), _target((0, 0, 4, 4))]
    stacked = gather_unlabelled(targets, dtype=torch.float32)
    assert stacked.shape == (2, 1, 8, 8)
    assert stacked.sum(dim=(1, 2, 3)).tolist() == [32.0, 0.0]
    assert gather_unlabelled(targets[1:], dtype=torch.float32) is None


def test_where_labelled_masks_overlap_a_query_starts_on_the_smallest():
    bowl, food = (0, 0, 8, 8), (2, 2, 6, 6)
    objects = gather_objects([_target(bowl, food)], dtype=torch.float32)
    points = torch.tensor([[[0.5, 0.5], [0.9, 0.9]]])  # on the food, on the bowl
    pairs = query_targets(points, objects)
    assert pairs.query_index.tolist() == [1, 0]
    assert pairs.objects.masks.sum(dim=(1, 2, 3)).tolist() == [64.0, 16.0]


def test_the_queries_of_a_crowded_object_share_its_weight():
    objects = gather_objects([_target((0, 0, 8, 4), (0, 4, 8, 8))], dtype=torch.float32)
    points = torch.tensor([[[0.1, 0.1], [0.1, 0.5], [0.1, 0.9], [0.1, 0.7], [0.9, 0.5]]])
    pairs = query_targets(points, objects)
    assert pair_weights(pairs, exponent=0.5).tolist() == pytest.approx([0.5] * 4 + [1.0])
    assert pair_weights(pairs, exponent=0.0).tolist() == [1.0] * 5
