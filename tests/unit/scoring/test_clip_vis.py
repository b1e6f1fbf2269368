"""CLIP-VIS's published scoring, against plain formulas."""

import pytest
import torch
from torch import Tensor

from ovvis_models.scoring.clip_vis import (
    CLASS_EXPONENT,
    ClipVisScoring,
    refined_scores,
)
from ovvis_models.scoring.evidence import SlotEvidence
from ovvis_models.scoring.frame_switch_off import FRAME_FLOOR

NUM_FRAMES = 3
PROBS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]])
QUALITY = torch.tensor([0.8, 0.5])
LOGITS = torch.tensor([2.0, -1.0])


class KnownProbabilities:
    """Takes class probabilities that stand in for tokens."""

    def probabilities(self, tokens: Tensor) -> Tensor:
        """Return them."""
        return tokens


def frame(*, logits: Tensor = LOGITS, confidence: float = 0.9) -> SlotEvidence:
    area = torch.tensor([[10.0, 4.0]])
    return SlotEvidence(
        object_scores=logits.sigmoid(),
        object_logits=logits,
        instance_tokens=PROBS,
        mask_quality=QUALITY,
        mask_area=area,
        mask_confidence=confidence * area,
    )


def score(frames: list[SlotEvidence], *, num_pairs: int = 6, scoring: ClipVisScoring | None = None):
    scoring = scoring or ClipVisScoring()
    return scoring.score(lambda: iter(frames), KnownProbabilities(), num_pairs=num_pairs)


def test_a_track_that_does_not_change_has_the_score_of_its_mean_token() -> None:
    pairs = score([frame()] * NUM_FRAMES)
    per_track = PROBS**CLASS_EXPONENT * refined_scores(LOGITS.sigmoid(), QUALITY)[:, None]
    found = torch.zeros(2, 3)
    found[pairs.slot_index, pairs.class_index] = pairs.scores
    torch.testing.assert_close(found, per_track * 0.9)
    assert pairs.absent.shape == (6, NUM_FRAMES)
    assert not pairs.absent.any()


def test_pairs_are_listed_best_first_and_no_more_than_asked() -> None:
    pairs = score([frame()], num_pairs=4)
    assert len(pairs.scores) == 4
    assert (pairs.scores.diff() <= 0).all()


def test_a_frame_without_the_object_is_switched_off_and_leaves_the_mask_quality() -> None:
    gone = torch.tensor([-12.0, -1.0])
    pairs = score([frame(), frame(), frame(logits=gone, confidence=0.1)])
    of_first = pairs.slot_index == 0
    assert pairs.absent[of_first].tolist() == [[False, False, True]] * 3
    assert not pairs.absent[~of_first].any()
    mean_logit = (2 * LOGITS[0] + gone[0]) / 3
    expected = ((PROBS[0, 0] * QUALITY[0]).sqrt() * mean_logit.sigmoid()).sqrt() * 0.9  # not 0.1
    best = pairs.scores[of_first & (pairs.class_index == 0)]
    torch.testing.assert_close(best[0], expected)


def test_the_floor_is_a_fraction_of_the_pairs_own_score() -> None:
    logit = torch.tensor([-5.0, -5.0])  # rare everywhere: no frame stands out
    pairs = score([frame(logits=logit)] * NUM_FRAMES)
    assert FRAME_FLOOR == 0.1
    assert not pairs.absent.any()


@pytest.mark.parametrize("weighted", ["object", "quality", "none"])
def test_weights_can_be_left_out(weighted: str) -> None:
    scoring = ClipVisScoring(weight_by_object=weighted == "object", weight_by_quality=weighted == "quality")
    pairs = score([frame()], scoring=scoring)
    factor = {"object": LOGITS.sigmoid(), "quality": QUALITY.sqrt(), "none": torch.ones(2)}[weighted]
    expected = (PROBS.sqrt() * factor[:, None]).sqrt() * 0.9
    torch.testing.assert_close(pairs.scores, expected[pairs.slot_index, pairs.class_index])
