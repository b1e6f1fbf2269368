"""Unified video label assignment: newborn, absent and returning objects, one test per rule; its losses."""

import numpy as np
import pytest
import torch

from ovvis_models.losses.matcher import CostWeights
from ovvis_models.losses.query_similarity import query_similarity_loss
from ovvis_models.losses.video_assignment import (
    UNBORN,
    WindowTargets,
    assign_alone,
    assign_window,
    unborn,
    uvla_costs,
)
from ovvis_models.losses.video_criterion import WindowLossWeights, class_targets, window_losses

QUERIES = 4


def window(*visible, labels=None):
    """Targets of one video whose masks do not matter."""
    count = len(visible)
    return WindowTargets(
        labels=torch.zeros(1, count, dtype=torch.long) if labels is None else torch.tensor([labels]),
        masks=torch.zeros(1, count, 6),
        visible=torch.tensor([visible]),
    )


def costs(*pairs, num_objects, layers=1):
    """Cost 1 everywhere, but 0 for the (query, object) pairs given."""
    values = torch.ones(layers, 1, QUERIES, num_objects)
    for query, column in pairs:
        values[:, 0, query, column] = 0.0
    return values


def run(*steps):
    """Assign windows in order; each step is (visible, preferred pairs). Return the queries after each."""
    assignment, history = None, []
    for visible, pairs in steps:
        targets = window(*visible)
        assignment = unborn(1, targets) if assignment is None else assignment
        assignment = assign_window(costs(*pairs, num_objects=len(visible)), targets, assignment)
        history.append(assignment[0, 0].tolist())
    return history


def test_objects_of_the_first_window_take_the_cheapest_queries():
    assert run(((True, True), [(2, 0), (1, 1)])) == [[2, 1]]


def test_an_object_that_was_never_visible_has_no_query():
    assert run(((True, False), [(2, 0), (1, 1)])) == [[2, UNBORN]]


def test_a_visible_object_keeps_its_query_whatever_it_costs():
    first, second = run(((True,), [(2, 0)]), ((True,), [(3, 0)]))
    assert first == second == [2]


def test_a_newborn_does_not_get_the_query_of_a_visible_object():
    first, second = run(((True, False), [(2, 0)]), ((True, True), [(2, 1), (3, 1)]))
    assert first == [2, UNBORN]
    assert second == [2, 3]


def test_an_absent_object_keeps_its_query_and_returns_to_it():
    history = run(((True,), [(1, 0)]), ((False,), [(0, 0)]), ((True,), [(0, 0)]))
    assert history == [[1], [1], [1]]


def test_a_newborn_may_get_the_query_of_an_object_that_is_out_of_sight():
    first, second = run(((True, False), [(1, 0)]), ((False, True), [(1, 1)]))
    assert first == [1, UNBORN]
    assert second == [1, 1]


def test_when_all_queries_are_taken_an_object_waits_to_be_born():
    everyone = [True] * QUERIES
    pairs = [(index, index) for index in range(QUERIES)]
    first, second, third = run(
        ((*everyone, False), pairs), ((*everyone, True), pairs), ((False, *everyone[1:], True), pairs)
    )
    assert first == second == [0, 1, 2, 3, UNBORN]
    assert third == [0, 1, 2, 3, 0]  # the first object left


def test_layers_have_histories_of_their_own():
    values = torch.cat([costs((0, 0), num_objects=1), costs((3, 0), num_objects=1)])
    targets = window(True)
    found = assign_window(values, targets, unborn(2, targets))
    assert found[:, 0, 0].tolist() == [0, 3]
    again = assign_window(costs((2, 0), num_objects=1, layers=2), targets, found)
    assert again.tolist() == found.tolist()


def test_assignment_of_each_window_alone_forgets():
    targets = window(True)
    assert assign_alone(costs((3, 0), num_objects=1), targets).tolist() == [[[3]]]


def test_costs_are_those_of_the_paper():
    torch.manual_seed(1)
    logits, masks = torch.randn(1, 1, QUERIES, 3), torch.randn(1, 1, QUERIES, 50)
    wanted = (torch.rand(1, 2, 50) > 0.5).float()
    targets = WindowTargets(
        labels=torch.tensor([[1, 0]]), masks=wanted, visible=torch.ones(1, 2, dtype=torch.bool)
    )
    found = uvla_costs(logits, masks, targets, weights=CostWeights())
    for query in range(QUERIES):
        for column, label in enumerate((1, 0)):
            bce = torch.nn.functional.binary_cross_entropy_with_logits(masks[0, 0, query], wanted[0, column])
            probs = masks[0, 0, query].sigmoid()
            dice = 1 - (2 * (probs * wanted[0, column]).sum() + 1) / (
                probs.sum() + wanted[0, column].sum() + 1
            )
            expected = -2 * logits[0, 0, query].softmax(dim=-1)[label] + 5 * bce + 5 * dice
            assert found[0, 0, query, column].item() == pytest.approx(float(expected), rel=1e-5)


def test_a_query_of_an_absent_object_is_taught_no_object():
    targets = window(True, False, labels=[1, 0])
    queries = torch.tensor([[[2, 3]]])
    found = class_targets(torch.zeros(1, 1, QUERIES, 3), targets.labels, queries, targets.visible[None])
    assert found.tolist() == [[[2, 2, 1, 2]]]


def test_losses_fall_to_zero_for_perfect_queries_and_ignore_masks_of_absent_objects():
    targets = WindowTargets(
        labels=torch.tensor([[0, 1]]),
        masks=torch.tensor([[[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]]),
        visible=torch.tensor([[True, False]]),
    )
    classes = torch.full((1, 1, QUERIES, 3), -30.0)
    classes[..., 2] = 30.0
    classes[0, 0, 1] = torch.tensor([30.0, -30.0, -30.0])
    masks = torch.full((1, 1, QUERIES, 4), -30.0, requires_grad=True)
    with torch.no_grad():
        masks[0, 0, 1, :2] = 30.0
        masks[0, 0, 2] = 30.0  # of the absent object: wrong, and not punished
    losses = window_losses(classes, masks, targets, np.array([[[1, 2]]]), weights=WindowLossWeights())
    assert all(float(loss.detach()) == pytest.approx(0.0, abs=1e-4) for loss in losses.values())
    sum(losses.values()).backward()
    assert torch.equal(masks.grad[0, 0, 2], torch.zeros(4))


def test_no_object_has_a_tenth_of_the_weight_of_a_class():
    classes = torch.zeros(1, 1, 2, 2)
    classes[0, 0, 1, 1] = 2.0  # a sure "no object"
    targets = WindowTargets(
        labels=torch.tensor([[0]]), masks=torch.zeros(1, 1, 1), visible=torch.tensor([[True]])
    )
    found = window_losses(
        classes, torch.zeros(1, 1, 2, 1), targets, np.array([[[0]]]), weights=WindowLossWeights(classes=1.0)
    )["classes"]
    wrong = torch.log(torch.tensor(2.0))
    sure = torch.log1p(torch.exp(torch.tensor(-2.0)))
    assert float(found) == pytest.approx(float((wrong + 0.1 * sure) / 1.1), rel=1e-5)


def test_queries_of_one_object_are_made_alike_and_others_apart():
    embeds = torch.tensor([[[3.0, 0.0], [3.0, 0.0], [-3.0, 0.0], [9.0, 9.0]]])
    alike = query_similarity_loss(embeds, torch.tensor([[0, 0, 1, -1]]))
    mixed = query_similarity_loss(embeds, torch.tensor([[0, 1, 0, -1]]))
    assert float(alike) < 1e-3
    assert float(mixed) > 3.0
    nothing = query_similarity_loss(embeds, torch.full((1, 4), -1))
    assert float(nothing) == 0.0
