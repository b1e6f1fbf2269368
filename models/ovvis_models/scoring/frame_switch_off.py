"""The second pass of published scorings over the frames of a video, shared by CLIP-VIS, OV2Seg and OVFormer.

A listed slot is absent in a frame where its own score falls below a tenth of its video score. The mean
probability inside its mask over the other frames then multiplies its score.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.heads.closed_set import AREA_EPS_PX
from ovvis_models.scoring.evidence import Evidence, ScoredPairs, SlotEvidence

FRAME_FLOOR = 0.1
"""Fraction of a pair's video score below which its own score of a frame empties its mask there."""

FrameScores = Callable[[SlotEvidence, ScoredPairs], Float[Tensor, " N"]]
"""The score of each pair in one frame alone."""


def switch_off_frames(pairs: ScoredPairs, evidence: Evidence, *, frame_scores: FrameScores) -> ScoredPairs:
    """Return the pairs with the frames where each is absent, best first after their mask quality.

    Every window of the evidence holds one frame.
    """
    absent, area, confidence = [], torch.zeros(()), torch.zeros(())
    for frame in evidence():
        off = frame_scores(frame, pairs) < FRAME_FLOOR * pairs.scores  # (N)
        absent.append(off)
        area = area + torch.where(off, 0.0, frame.mask_area[0, pairs.slot_index])
        confidence = confidence + torch.where(off, 0.0, frame.mask_confidence[0, pairs.slot_index])
    final = pairs.scores * confidence / (area + AREA_EPS_PX)
    return replace(pairs, scores=final, absent=torch.stack(absent, dim=1)).ranked()
