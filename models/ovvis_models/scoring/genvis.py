"""Scoring of GenVIS: the best window of each slot counts, times the mean probability inside the mask.

    score(q, k) = max over windows of p(k | q)  *  mean over the mask's pixels of all frames of s(mask logit)

p is the softmax with "no object"; the second factor is measured at the size of the resized frames.
"""

from dataclasses import dataclass, replace

import torch

from ovvis_models.heads.closed_set import AREA_EPS_PX
from ovvis_models.scoring.evidence import ClassScorer, Evidence, ScoredPairs, never_absent, top_pairs


@dataclass(frozen=True, slots=True)
class BestWindowScoring:
    """The highest probability over all windows; pairs are chosen before the mask quality multiplies."""

    def score(self, evidence: Evidence, classes: ClassScorer, *, num_pairs: int) -> ScoredPairs:
        """See `VideoScoring.score`."""
        best, area, confidence, num_frames = torch.zeros(()), torch.zeros(()), torch.zeros(()), 0
        for window in evidence():
            best = torch.maximum(best, classes.probabilities(window.instance_tokens))
            area = area + window.mask_area.sum(dim=0)
            confidence = confidence + window.mask_confidence.sum(dim=0)
            num_frames += window.num_frames
        pairs = top_pairs(best, num_pairs=num_pairs)
        quality = confidence / (area + AREA_EPS_PX)
        scored = replace(pairs, scores=pairs.scores * quality[pairs.slot_index])
        return never_absent(scored, num_frames=num_frames).ranked()
