"""Weighted open-vocabulary classification (CLIP-VIS, Sec. 3.3): classes weighted by object and mask quality.

    published, of a whole video:  score(q, k) = sqrt( mean over t of sqrt(p_tqk iou_tq) * o_q ) * mask quality
    of a track, frame by frame:   score(q, k) = p_qk^(1/4) * mean over t of (iou_tq^(1/4) o_tq^(1/2))

p is the probability of a class, iou the expected overlap of the mask, o the object score. The second form
equals the first, without the last factor, for a track that looks the same in all frames. It needs no class
before the video has ended, so a record can be asked again with other words; there p is that of the track's
mean token.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.scoring.evidence import ClassScorer, Evidence, ScoredPairs, SlotEvidence, top_pairs
from ovvis_models.scoring.frame_switch_off import switch_off_frames

CLASS_EXPONENT = 0.25
"""Of the class probability in a track's score."""


def refined_scores(
    object_scores: Float[Tensor, "*batch"], mask_quality: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Return what a track's frame contributes beside the class: object score and mask quality, in [0, 1]."""
    return mask_quality.sqrt().sqrt() * object_scores.sqrt()


def weighted_classes(
    class_probs: Float[Tensor, "*batch K"], mask_quality: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch K"]:
    """Return the class probabilities of a frame weighted by its expected overlap, in [0, 1]."""
    return (class_probs * mask_quality[..., None]).sqrt()


def video_scores(
    weighted_mean: Float[Tensor, "S K"], object_logits: Float[Tensor, " S"]
) -> Float[Tensor, "S K"]:
    """Return the score of every slot and class from their means over the frames, in [0, 1]."""
    return (weighted_mean * object_logits.sigmoid()[:, None]).sqrt()


def frame_scores(
    class_probs: Float[Tensor, "*batch"], object_logits: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Return a pair's own score in a frame, which decides whether the slot is absent there.

    The published code takes a sigmoid of what is a probability already, so mostly the object score decides.
    """
    return (class_probs.sigmoid() * object_logits.sigmoid()).sqrt()


@dataclass(frozen=True, slots=True)
class ClipVisScoring:
    """The published scoring of a video, in two passes over its frames.

    The two switches are those of the paper's ablation (Table "Scores"): without both, only the classes count.
    """

    weight_by_object: bool = True
    weight_by_quality: bool = True

    def score(self, evidence: Evidence, classes: ClassScorer, *, num_pairs: int) -> ScoredPairs:
        """See `VideoScoring.score`. Every window holds one frame."""

        def scores_of(frame: SlotEvidence, pairs: ScoredPairs) -> Float[Tensor, " N"]:
            slots = pairs.slot_index
            probs = classes.probabilities(frame.instance_tokens)[slots, pairs.class_index]
            return frame_scores(probs, frame.object_logits[slots])

        pairs = top_pairs(self._scores(evidence, classes), num_pairs=num_pairs)
        return switch_off_frames(pairs, evidence, frame_scores=scores_of)

    def _scores(self, evidence: Evidence, classes: ClassScorer) -> Float[Tensor, "S K"]:
        """Return the video score of every slot and class, before the mask quality."""
        weighted, logits, num_frames = torch.zeros(()), torch.zeros(()), 0
        for frame in evidence():
            assert frame.mask_quality is not None, "CLIP-VIS predicts a mask quality"
            quality = frame.mask_quality if self.weight_by_quality else torch.ones_like(frame.mask_quality)
            weighted = weighted + weighted_classes(classes.probabilities(frame.instance_tokens), quality)
            logits = logits + frame.object_logits
            num_frames += 1
        mean = weighted / num_frames
        return video_scores(mean, logits / num_frames) if self.weight_by_object else mean.sqrt()
