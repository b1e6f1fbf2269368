"""Parts of the decoders against plain formulations of the same mathematics."""

import pytest
import torch
import torch.nn.functional as F

from ovvis_models.decoders.object_heads import ClosedSetHead
from ovvis_models.decoders.queries import best_places
from ovvis_models.decoders.query_decoder import allowed_places, inside_masks, shrink_to


def test_shrinking_commutes_with_the_product() -> None:
    torch.manual_seed(0)
    pixel_embeds, level = torch.randn(2, 8, 16, 24).double(), torch.empty(2, 1, 4, 6)
    mask_embeds = torch.randn(2, 3, 8).double()
    logits = torch.einsum("bqc,bchw->bqhw", mask_embeds, pixel_embeds)
    resized = F.interpolate(logits, size=(4, 6), mode="bilinear", align_corners=False).flatten(2)
    assert torch.equal(inside_masks(mask_embeds, shrink_to(pixel_embeds, level)), resized >= 0)


def test_a_query_with_an_empty_mask_looks_everywhere() -> None:
    pixel_embeds = torch.ones(1, 2, 6)
    mask_embeds = torch.tensor([[[1.0, 1.0], [-1.0, -1.0]]])
    assert not inside_masks(mask_embeds, pixel_embeds)[0, 1].any()
    assert allowed_places(mask_embeds, pixel_embeds).all()


def test_best_places_are_maxima_first_then_the_next_best() -> None:
    logits = torch.zeros(1, 5, 6)
    logits[0, 1, 1], logits[0, 1, 2], logits[0, 4, 5] = 9.0, 8.0, 3.0
    places = best_places(logits, num_places=2)[0].tolist()
    assert places == [1 * 6 + 1, 4 * 6 + 5]  # the neighbour of the best is no maximum
    assert sorted(best_places(logits, num_places=30)[0].tolist()) == list(range(30))
    with pytest.raises(ValueError, match="31 queries do not fit"):
        best_places(logits, num_places=31)


def test_object_logit_of_a_closed_set_is_one_minus_no_object() -> None:
    logits = torch.randn(2, 3, 6, dtype=torch.double)
    score = ClosedSetHead(8, num_classes=5).object_logit(logits).sigmoid()
    torch.testing.assert_close(score, 1 - logits.softmax(dim=-1)[..., -1])
