"""Published scoring of InstFormer and MinVIS, and the store that keeps evidence."""

import torch
import torch.nn.functional as F

from ovvis_cli.evaluation.evidence_store import EvidenceStore
from ovvis_models.scoring.evidence import SlotEvidence, evidence_of
from ovvis_models.scoring.instformer import MeanTokenScoring
from ovvis_models.scoring.minvis import MeanLogitScoring
from ovvis_models.structures import ImageGeometry, WindowSlots

NUM_SLOTS, WIDTH, NUM_CLASSES = 3, 4, 2


class Softmax:
    """Scores tokens by their first columns."""

    def probabilities(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of all columns but the last."""
        return tokens.softmax(dim=-1)[:, :NUM_CLASSES]


def windows(*lengths: int) -> list[SlotEvidence]:
    generator = torch.Generator().manual_seed(3)
    return [
        SlotEvidence(
            object_scores=torch.rand(NUM_SLOTS, generator=generator),
            object_logits=torch.randn(NUM_SLOTS, generator=generator),
            instance_tokens=torch.randn(NUM_SLOTS, WIDTH, generator=generator),
            mask_quality=None,
            mask_area=torch.ones(length, NUM_SLOTS),
            mask_confidence=torch.ones(length, NUM_SLOTS),
        )
        for length in lengths
    ]


def test_minvis_averages_logits_before_the_softmax() -> None:
    evidence = windows(1, 1, 1)
    pairs = MeanLogitScoring().score(lambda: evidence, Softmax(), num_pairs=99)
    mean = torch.stack([window.instance_tokens for window in evidence]).mean(dim=0)
    expected = Softmax().probabilities(mean)
    torch.testing.assert_close(pairs.scores, expected[pairs.slot_index, pairs.class_index])
    assert pairs.absent.shape == (NUM_SLOTS * NUM_CLASSES, 3)


def test_instformer_weights_tokens_by_object_score_and_windows_by_their_frames() -> None:
    evidence = windows(2, 1)
    pairs = MeanTokenScoring().score(lambda: evidence, Softmax(), num_pairs=99)
    weights = torch.stack([2 * evidence[0].object_scores, evidence[1].object_scores])
    tokens = torch.stack([window.instance_tokens for window in evidence])
    mean = F.normalize((weights[..., None] * tokens).sum(dim=0), dim=-1)
    expected = Softmax().probabilities(mean) * (weights.sum(dim=0) / 3)[:, None]
    torch.testing.assert_close(pairs.scores, expected[pairs.slot_index, pairs.class_index])


def test_the_store_gives_the_evidence_again_as_often_as_asked() -> None:
    evidence = windows(1, 3)
    with EvidenceStore() as store:
        for window in evidence:
            store.append(window)
        for _ in range(2):
            found = list(store.windows())
            assert [window.num_frames for window in found] == [1, 3]
            for one, other in zip(found, evidence, strict=True):
                assert torch.equal(one.instance_tokens, other.instance_tokens)
                assert torch.equal(one.mask_confidence, other.mask_confidence)
                assert one.mask_quality is None


def test_evidence_counts_places_and_sums_their_probabilities() -> None:
    logits = torch.full((1, 1, 2, 3), -4.0)
    logits[0, 0, 0, :2] = torch.tensor([0.0 + 1.0, 2.0])
    slots = WindowSlots(
        track_ids=torch.tensor([1]),
        object_scores=torch.tensor([0.5]),
        object_logits=torch.tensor([0.0]),
        instance_tokens=torch.zeros(1, WIDTH),
        mask_quality=None,
        mask_logits=logits,
        geometry=ImageGeometry(original_hw=(8, 12), resized_hw=(8, 12), padded_hw=(32, 32)),
    )
    found = evidence_of(slots)
    assert found.mask_area.tolist() == [[2.0]]
    torch.testing.assert_close(found.mask_confidence, torch.tensor([1.0, 2.0]).sigmoid().sum().reshape(1, 1))
