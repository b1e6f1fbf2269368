"""CLIP-VIS with a table of words: tokens are averages over masks, rows are compared by cosine."""

import copy

import pytest
import torch
import torch.nn.functional as F

from ovvis_models.backbones.efficientnet_maps import efficientnet
from ovvis_models.backbones.folding import fold_norms
from ovvis_models.catalog import CATALOG
from ovvis_models.heads.coverage_pooling import MIDDLE_SCALE, ONE, CoveragePooling, covered_mean
from ovvis_models.text.word_table import WordTable, equally_long

SPEC = CATALOG["clipvis-camera"]


@pytest.fixture(scope="module")
def maps():
    torch.manual_seed(0)
    backbone, _ = efficientnet(SPEC.image_network)
    return backbone


def test_maps_have_the_strides_of_a_backbone_and_never_learn(maps):
    found = maps.train()(torch.rand(1, 3, 64, 96))
    assert [tuple(x.shape[2:]) for x in found] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert tuple(x.shape[1] for x in found) == maps.channels
    assert not any(p.requires_grad for p in maps.parameters())
    assert not any(module.training for module in maps.modules())


def test_folded_norms_keep_their_activations(maps):
    folded = copy.deepcopy(maps)
    fold_norms(folded)
    image = torch.rand(1, 3, 64, 96)
    for before, after in zip(maps(image), folded(image), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_places_count_by_how_much_of_them_is_covered():
    features = torch.tensor([[[[1.0, 3.0]]]])  # B C h w
    coverage = torch.tensor([[[[0.75, 0.25]]]])
    assert float(covered_mean(features, coverage)) == pytest.approx(1.5, rel=1e-3)


def test_a_token_holds_both_maps_the_constant_and_a_zero_and_nothing_without_a_mask():
    pooling = CoveragePooling(head=torch.nn.Identity(), width=4)
    maps = [torch.zeros(0)] * 2 + [torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 2, 2), 5.0)]
    logits = torch.full((1, 2, 16, 16), -1.0)
    logits[0, 0, 3:5, 3:5] = 1.0  # covers no place of stride 32 by half
    tokens = pooling(maps, logits)
    assert tokens[0, 0].tolist() == pytest.approx([5.0, 2.0 * MIDDLE_SCALE, ONE, 0.0], rel=0.02)
    assert tokens[0, 1].tolist() == [0.0] * 4


def test_rows_of_a_classifier_become_unit_vectors_with_the_same_products():
    weights = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    token = torch.cat([torch.randn(6, generator=torch.Generator().manual_seed(2)), torch.zeros(1)])
    rows, longest = equally_long(weights)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(rows @ token * longest, weights[:, :-1] @ token[:-1])
    table = WordTable(num_rows=5, embed_dim=7)
    table.fill(weights, token_norm=float(token.norm()))
    cosines = table.rows @ F.normalize(token, dim=0) * table.logit_scale.exp()
    torch.testing.assert_close(cosines, weights[:, :-1] @ token[:-1], rtol=1e-4, atol=1e-5)


def test_tokens_of_a_prediction_fit_the_table():
    torch.manual_seed(0)
    network = SPEC.build().eval()
    with torch.inference_mode():
        predicted = network.predict(torch.randint(0, 256, (1, 48, 64, 3), dtype=torch.uint8))
    assert predicted.instance_tokens.shape[-1] == SPEC.token_dim == network.words.rows.shape[1]
    assert predicted.proposals.mask_quality is not None
    norms = predicted.instance_tokens.norm(dim=-1)
    assert bool(((norms - 1).abs() < 1e-4).logical_or(norms == 0).all())
