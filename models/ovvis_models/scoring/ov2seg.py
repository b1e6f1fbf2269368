"""Scoring of OV2Seg and OVFormer: mean class and object logits of each slot, then the root of their product.

    published, of a whole video:  score(q, k) = sqrt( s(mean of class logits) * s(mean of o_q) )
    of a track, frame by frame:   score(q, k) = s(class logit of the mean token)^(1/2) * mean of s(o_q)^(1/2)

s is the sigmoid, o the object logit: that of the softmax over object and nothing.

Class logits are products of tokens and text embeddings, so the logit of a mean token is the mean of logits.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.scoring.evidence import (
    ClassScorer,
    Evidence,
    ScoredPairs,
    SlotEvidence,
    never_absent,
    top_pairs,
)
from ovvis_models.scoring.frame_switch_off import switch_off_frames

CLASS_EXPONENT = 0.5
"""Of the class probability in a track's score."""


def root_scores(
    class_probs: Float[Tensor, "S K"], object_logits: Float[Tensor, " S"]
) -> Float[Tensor, "S K"]:
    """Return the geometric mean of the probabilities of class and object, in [0, 1]."""
    return (class_probs * object_logits.sigmoid()[:, None]).sqrt()


def mean_scores(evidence: Evidence, classes: ClassScorer) -> Float[Tensor, "S K"]:
    """Return the score of every slot and class by mean logits; every window counts once."""
    tokens, object_logits, num_windows = torch.zeros(()), torch.zeros(()), 0
    for window in evidence():
        tokens = tokens + window.instance_tokens
        object_logits = object_logits + window.object_logits
        num_windows += 1
    return root_scores(classes.probabilities(tokens / num_windows), object_logits / num_windows)


@dataclass(frozen=True, slots=True)
class MeanOfFramesScoring:
    """Mean logits over frames, frames switched off, mask quality (OV2Seg; OVFormer's image model)."""

    def score(self, evidence: Evidence, classes: ClassScorer, *, num_pairs: int) -> ScoredPairs:
        """See `VideoScoring.score`. Every window holds one frame."""

        def frame_scores(frame: SlotEvidence, pairs: ScoredPairs) -> Float[Tensor, " N"]:
            scores = root_scores(classes.probabilities(frame.instance_tokens), frame.object_logits)
            return scores[pairs.slot_index, pairs.class_index]

        pairs = top_pairs(mean_scores(evidence, classes), num_pairs=num_pairs)
        return switch_off_frames(pairs, evidence, frame_scores=frame_scores)


@dataclass(frozen=True, slots=True)
class MeanOfWindowsScoring:
    """Mean logits over windows and nothing else (OVFormer's video model)."""

    def score(self, evidence: Evidence, classes: ClassScorer, *, num_pairs: int) -> ScoredPairs:
        """See `VideoScoring.score`."""
        pairs = top_pairs(mean_scores(evidence, classes), num_pairs=num_pairs)
        return never_absent(pairs, num_frames=sum(window.num_frames for window in evidence()))
