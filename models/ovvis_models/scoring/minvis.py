"""Scoring of MinVIS: class logits are averaged over all frames, then become probabilities.

Every frame counts once, also frames in which the object is absent. There is no mask quality and no frame is
switched off (`inference_video` of the published code).
"""

from dataclasses import dataclass

import torch

from ovvis_models.scoring.evidence import ClassScorer, Evidence, ScoredPairs, never_absent, top_pairs


@dataclass(frozen=True, slots=True)
class MeanLogitScoring:
    """Probabilities of the mean class logits of each slot."""

    def score(self, evidence: Evidence, classes: ClassScorer, *, num_pairs: int) -> ScoredPairs:
        """See `VideoScoring.score`."""
        logits, num_frames = torch.zeros(()), 0
        for window in evidence():
            logits = logits + window.instance_tokens * window.num_frames
            num_frames += window.num_frames
        scores = classes.probabilities(logits / num_frames)
        return never_absent(top_pairs(scores, num_pairs=num_pairs), num_frames=num_frames)
