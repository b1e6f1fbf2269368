"""Losses of the proposal network."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from ovvis_models.blocks.decoder_output import DecoderOutput, LayerOutput, QueryOrigin
from ovvis_models.losses.guided_criterion import GuidedCriterion, GuidedWeights, own_iou
from ovvis_models.losses.heatmap import heatmap_loss, heatmap_targets
from ovvis_models.losses.margin import margin_loss
from ovvis_models.losses.masks import PointSampling, uncertain_points
from ovvis_models.losses.matcher import CostWeights, HungarianMatcher
from ovvis_models.losses.objectness import objectness_loss
from ovvis_models.losses.points import read_points
from ovvis_models.losses.query_targets import query_targets
from ovvis_models.losses.set_criterion import LossWeights, SetCriterion
from ovvis_models.losses.targets import Target, gather_objects

HW = (32, 48)


def target(*boxes: tuple[int, int, int, int]) -> Target:
    """An image whose objects are boxes (x0, y0, x1, y1)."""
    masks = torch.zeros(len(boxes), *HW, dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Target(
        masks=masks,
        centers=(corners[:, :2] + corners[:, 2:]) / 2,
        radii=(corners[:, 2:] - corners[:, :2]).amin(dim=1) / 2,
    )


TARGETS = [target((0, 0, 16, 16), (24, 8, 44, 30), (0, 20, 12, 32)), target(), target((8, 8, 40, 24))]


def perfect_layer(assigned: dict[tuple[int, int], int], *, num_queries: int = 5) -> LayerOutput:
    """Heads in which query q of image b draws object `assigned[b, q]` and the others nothing."""
    mask_logits = torch.full((len(TARGETS), num_queries, HW[0] // 4, HW[1] // 4), -20.0)
    object_logits = torch.full((len(TARGETS), num_queries, 1), -20.0)
    for (image, query), index in assigned.items():
        area = TARGETS[image].masks[index : index + 1].float()
        mask_logits[image, query] = F.avg_pool2d(area, 4)[0] * 40 - 20
        object_logits[image, query] = 20.0
    embeds = torch.randn(len(TARGETS), num_queries, 8)
    return LayerOutput(query_embeds=embeds, mask_logits=mask_logits, object_logits=object_logits)


def criterion(num_points: int = 256) -> SetCriterion:
    return SetCriterion(
        matcher=HungarianMatcher(num_points=num_points, weights=CostWeights()),
        sampling=PointSampling(num_points=num_points),
        weights=LossWeights(),
    )


def random_output(*, num_queries: int = 5) -> DecoderOutput:
    layers = tuple(
        LayerOutput(
            query_embeds=torch.randn(3, num_queries, 8, requires_grad=True),
            mask_logits=torch.randn(3, num_queries, 8, 12, requires_grad=True),
            object_logits=torch.randn(3, num_queries, 1, requires_grad=True),
        )
        for _ in range(3)
    )
    origin = QueryOrigin(
        heatmap_logits=torch.randn(3, 4, 6, requires_grad=True), points=torch.rand(3, num_queries, 2)
    )
    return DecoderOutput(layers=layers, origin=origin)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_matcher_finds_the_queries_that_draw_the_objects() -> None:
    layers = [
        perfect_layer({(0, 3): 0, (0, 1): 1, (0, 0): 2, (2, 4): 0}),
        perfect_layer({(0, 0): 0, (0, 2): 1, (0, 4): 2, (2, 1): 0}),
    ]
    objects = gather_objects(TARGETS, dtype=torch.float32)
    assignment = HungarianMatcher(num_points=200, weights=CostWeights())(layers, objects, generator=None)
    assert assignment.query_index.tolist() == [[3, 1, 0, 4], [0, 2, 4, 1]]
    assert assignment.assigned.all()
    taken = assignment.taken(objects, num_queries=5)
    assert taken[0].nonzero().tolist() == [[0, 0], [0, 1], [0, 3], [2, 4]]


def test_matcher_is_optimal() -> None:
    output = random_output()
    objects = gather_objects(TARGETS, dtype=torch.float32)
    matcher = HungarianMatcher(num_points=100, weights=CostWeights())
    costs = matcher.costs(output.layers, objects, generator=torch.Generator().manual_seed(5))
    found = matcher(output.layers, objects, generator=torch.Generator().manual_seed(5)).query_index
    for layer in range(3):
        best = min(
            sum(costs[layer, 0, query, index].item() for index, query in enumerate(order))
            for order in itertools.permutations(range(5), 3)
        )
        mine = sum(costs[layer, 0, query, index].item() for index, query in enumerate(found[layer, :3]))
        assert mine == pytest.approx(best)


def test_pair_costs_are_those_of_the_plain_formulas() -> None:
    output = random_output()
    objects = gather_objects(TARGETS, dtype=torch.float32)
    matcher = HungarianMatcher(num_points=50, weights=CostWeights(object=2, mask_bce=3, dice=4))
    costs = matcher.costs(output.layers, objects, generator=torch.Generator().manual_seed(1))
    points = torch.rand(3, 50, 2, generator=torch.Generator().manual_seed(1))
    logits = read_points(output.layers[1].mask_logits, points)[0, 2]
    wanted = read_points(TARGETS[0].masks[None].float(), points[:1])[0, 1]
    probs = logits.sigmoid()
    dice = 1 - (2 * (probs * wanted).sum() + 1) / (probs.sum() + wanted.sum() + 1)
    expected = (
        3 * F.binary_cross_entropy_with_logits(logits, wanted)
        + 4 * dice
        - 2 * output.layers[1].object_logits[0, 2, 0].sigmoid()
    )
    torch.testing.assert_close(costs[1, 0, 2, 1], expected)


def test_perfect_heads_cost_almost_nothing_and_wrong_ones_much() -> None:
    good = perfect_layer({(0, 3): 0, (0, 1): 1, (0, 0): 2, (2, 4): 0})
    bad = perfect_layer({(0, 3): 1, (0, 1): 1, (0, 0): 1})
    low = criterion()(DecoderOutput(layers=(good, good)), TARGETS)
    high = criterion()(DecoderOutput(layers=(bad, bad)), TARGETS)
    assert low["object"] < 1e-6
    assert low["mask_bce"] < 5.0 < high["mask_bce"]
    assert low["dice"] < 1.5 < high["dice"]


def test_gradients_reach_every_output() -> None:
    output = random_output()
    sum(criterion()(output, TARGETS).values()).backward()
    for layer in output.layers:
        assert layer.mask_logits.grad is not None and layer.object_logits.grad is not None
        assert layer.mask_logits.grad[1].abs().max() == 0  # the image without objects has no mask to learn
        assert layer.object_logits.grad[1].abs().max() > 0  # but learns that nothing is there


def test_a_batch_without_objects_has_finite_losses() -> None:
    output = random_output()
    losses = criterion()(output, [target(), target(), target()])
    assert losses["mask_bce"] == 0 and losses["dice"] == 0
    total = sum(losses.values())
    assert torch.isfinite(total)
    total.backward()


def test_more_objects_than_queries_leaves_some_out() -> None:
    output = random_output(num_queries=2)
    objects = gather_objects(TARGETS, dtype=torch.float32)
    matcher = HungarianMatcher(num_points=64, weights=CostWeights())
    assignment = matcher(output.layers, objects, generator=None)
    assert assignment.assigned.sum(dim=1).tolist() == [3, 3, 3]  # 2 of 3, 0 of 0, 1 of 1
    assert torch.isfinite(sum(criterion()(output, TARGETS).values()))


def test_same_generator_same_losses() -> None:
    output = random_output()
    first, second, third = (
        criterion()(output, TARGETS, generator=torch.Generator().manual_seed(seed)) for seed in (7, 7, 8)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["mask_bce"], third["mask_bce"])


def test_points_gather_where_the_mask_is_uncertain() -> None:
    logits = torch.linspace(-10, 10, 64).expand(1, 1, 64, 64)  # crosses zero at x = 0.5
    points = uncertain_points(logits, sampling=PointSampling(num_points=400), generator=None)
    assert points.shape == (1, 400, 2)
    near = ((points[0, :300, 0] - 0.5).abs() < 0.2).float().mean()
    rest = ((points[0, 300:, 0] - 0.5).abs() < 0.2).float().mean()
    assert near == 1 and rest < 0.6


def test_heatmap_is_one_at_each_centre_and_least_costly_when_right() -> None:
    objects = gather_objects(TARGETS, dtype=torch.float32)
    wanted = heatmap_targets(objects, hw=(4, 6))
    assert (wanted == 1).sum(dim=(1, 2)).tolist() == [3, 0, 1]
    assert wanted[0, 1, 1] == 1 and wanted[2, 2, 3] == 1  # the places of (8, 8) and (24, 16) at stride 8
    right = torch.where(wanted == 1, 8.0, -8.0)
    assert heatmap_loss(right, wanted, num_objects=4) < 0.01
    assert heatmap_loss(-right, wanted, num_objects=4) > 10


def test_margin_loss_counts_only_pairs_beyond_the_margin() -> None:
    apart = torch.eye(4)[None]
    assert margin_loss(apart, margin=0.8) == 0
    alike = torch.ones(1, 4, 3)
    torch.testing.assert_close(margin_loss(alike, margin=0.8), torch.tensor(0.2))
    pair = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    torch.testing.assert_close(margin_loss(pair, margin=0.8), torch.tensor(2 * 0.2 / 6))
    same = torch.zeros(1, 3, 3, dtype=torch.bool)
    same[0, 0, 1] = same[0, 1, 0] = True
    assert margin_loss(pair, margin=0.8, alike=same) == 0


def test_objectness_weighs_queries_without_object() -> None:
    logits = torch.zeros(1, 1, 4)
    taken = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    logits[0, 0, 1] = 2.0
    empty = torch.nn.functional.softplus(torch.tensor([2.0, 0.0, 0.0])).sum()
    expected = (torch.tensor(2.0).log() + 0.1 * empty) / 1.3
    torch.testing.assert_close(objectness_loss(logits, taken, no_object_weight=0.1), expected)


def test_a_batch_needs_targets() -> None:
    with pytest.raises(ValueError, match="at least one target"):
        gather_objects([], dtype=torch.float32)


def test_queries_start_on_the_object_below_them() -> None:
    objects = gather_objects(TARGETS, dtype=torch.float32)
    width, height = HW[1], HW[0]
    points = torch.tensor(
        [
            [[6.0, 26.0], [40.0, 2.0], [8.0, 8.0], [30.0, 20.0], [9.0, 9.0]],  # objects 2, none, 0, 1, 0
            [[6.0, 26.0]] * 5,  # an image without objects
            [[2.0, 2.0], [20.0, 20.0], [2.0, 2.0], [2.0, 2.0], [2.0, 2.0]],
        ]
    ) / torch.tensor([width, height])
    pairs = query_targets(points, objects)
    found = sorted(zip(pairs.objects.image_index.tolist(), pairs.query_index.tolist(), strict=True))
    assert found == [(0, 0), (0, 2), (0, 3), (0, 4), (2, 1)]
    assert pairs.objects.counts == (4, 0, 1)
    assert pairs.objects.position.tolist() == [0, 1, 2, 3, 0]
    for query, mask in zip(pairs.query_index[:4].tolist(), pairs.objects.masks[:4, 0], strict=True):
        assert torch.equal(mask.bool(), TARGETS[0].masks[{0: 2, 2: 0, 3: 1, 4: 0}[query]])
    same = pairs.same_object
    assert same[0, 2, 4] and same[0, 4, 2] and same[0, 3, 3]
    assert not same[0, 0, 2] and not same[0, 1, 1] and not same[1].any()


def guided(*, wrong: bool) -> DecoderOutput:
    """Five queries on each image with objects, all but one on objects; each draws its own, or another's."""
    order = [1, 2, 0, 0] if wrong else [0, 0, 1, 2]
    layer = perfect_layer({(0, query): index for query, index in enumerate(order)} | {(2, 4): 0})
    points = torch.full((3, 5, 2), 0.99)  # on nothing
    points[0, :4] = TARGETS[0].centers[[0, 0, 1, 2]] / torch.tensor([HW[1], HW[0]])
    points[2, 4] = TARGETS[2].centers[0] / torch.tensor([HW[1], HW[0]])
    origin = QueryOrigin(heatmap_logits=torch.zeros(3, 4, 6), points=points)
    return DecoderOutput(layers=(layer, layer), origin=origin)


def guided_losses(output: DecoderOutput) -> dict[str, torch.Tensor]:
    weigh = GuidedCriterion(sampling=PointSampling(num_points=256), weights=GuidedWeights())
    return weigh(output, TARGETS)


def test_every_guided_query_is_taught_the_object_that_it_starts_on() -> None:
    right, wrong = guided_losses(guided(wrong=False)), guided_losses(guided(wrong=True))
    assert right["dice"] < 1.5 < 5 < wrong["dice"]
    assert right["mask_bce"] < 5 < wrong["mask_bce"]


def test_a_guided_querys_object_logit_learns_the_iou_of_its_own_mask() -> None:
    objects = gather_objects(TARGETS, dtype=torch.float32)
    for wrong in (False, True):
        output = guided(wrong=wrong)
        pairs = query_targets(output.origin.points, objects)
        first, second = own_iou(output.layers, pairs, like=torch.zeros(2, 3, 5))
        assert torch.equal(first, second)
        assert ((first[0, :4] < 0.1) if wrong else (first[0, :4] > 0.8)).all()
        assert first[2, 4] > 0.8
        assert first[0, 4] == 0 and (first[1] == 0).all() and (first[2, :4] == 0).all()


def test_gradients_reach_every_output_of_guided_queries() -> None:
    output = random_output()
    sum(guided_losses(output).values()).backward()
    assert output.origin is not None and output.origin.heatmap_logits.grad is not None
    assert all(layer.object_logits.grad is not None for layer in output.layers)


def test_queries_that_start_nowhere_are_not_for_the_guided_criterion() -> None:
    layers = random_output().layers
    with pytest.raises(ValueError, match="SetCriterion"):
        guided_losses(DecoderOutput(layers=layers))


def test_a_guided_batch_without_objects_has_finite_losses() -> None:
    output = random_output()
    weigh = GuidedCriterion(sampling=PointSampling(num_points=64), weights=GuidedWeights())
    losses = weigh(output, [target(), target(), target()])
    assert losses["mask_bce"] == 0 and losses["dice"] == 0
    assert all(value.isfinite() for value in losses.values())


def test_a_frozen_map_of_guided_queries_has_no_loss() -> None:
    weigh = GuidedCriterion(sampling=PointSampling(num_points=64), weights=GuidedWeights(heatmap=0.0))
    losses = weigh(guided(wrong=False), TARGETS)
    assert set(losses) == {"object", "mask_bce", "dice", "margin"}
