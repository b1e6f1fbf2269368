"""Scoring of InstFormer (OpenVIS, Sec. 4.2): one token for each track, and its mean object score.

    score(q, k) = softmax over k of ( mean over t of o_tq token_tq ) . text_k  *  mean over t of o_tq

o is the object score of a frame. The token mean is weighted by it and scaled to unit norm.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ovvis_models.scoring.evidence import ClassScorer, Evidence, ScoredPairs, never_absent, top_pairs


@dataclass(frozen=True, slots=True)
class MeanTokenScoring:
    """Class probabilities of the score-weighted mean token times the mean object score."""

    def score(self, evidence: Evidence, classes: ClassScorer, *, num_pairs: int) -> ScoredPairs:
        """See `VideoScoring.score`."""
        tokens, object_scores, num_frames = torch.zeros(()), torch.zeros(()), 0
        for window in evidence():
            weight = window.object_scores * window.num_frames
            tokens = tokens + weight[:, None] * window.instance_tokens
            object_scores = object_scores + weight
            num_frames += window.num_frames
        probabilities = classes.probabilities(F.normalize(tokens, dim=-1))
        scores = probabilities * (object_scores / num_frames)[:, None]
        return never_absent(top_pairs(scores, num_pairs=num_pairs), num_frames=num_frames)
