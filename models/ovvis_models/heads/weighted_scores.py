"""Weighted open-vocabulary classification (CLIP-VIS, Sec. 3.3): classes weighed by object and mask quality.

    published, of a whole video:  score(q, k) = sqrt( mean over t of sqrt(p_tqk iou_tq) * o_q )
    of a track, frame by frame:   score(q, k) = p_qk^(1/4) * mean over t of (iou_tq^(1/4) o_tq^(1/2))

p is the probability of a class, iou the expected overlap of the mask, o the object score. The second form is
the first for a track that looks the same in all frames; it needs no class before the video has ended, so that
a record can be asked again with other words. There p is that of the track's mean token.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ovvis_models.heads.closed_set import AREA_EPS_PX

CLASS_EXPONENT = 0.25
"""Of the class probability in a track's score."""

FRAME_FLOOR = 0.1
"""Part of a track's score below which its own score of a frame empties its mask there."""

NO_MASK_LOGIT = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPairs:
    """The N best (track, class) pairs of a video as the published code lists them, best first."""

    track_index: Int[Tensor, " N"]
    class_index: Int[Tensor, " N"]
    class_scores: Float[Tensor, " N"]


def refined_scores(
    object_scores: Float[Tensor, "*batch"], mask_quality: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """What a track's frame contributes beside the class: object score and mask quality, in [0, 1]."""
    return mask_quality.sqrt().sqrt() * object_scores.sqrt()


def video_scores(
    class_probs: Float[Tensor, "T Q K"],
    *,
    mask_quality: Float[Tensor, "T Q"],
    object_logits: Float[Tensor, "T Q"],
) -> Float[Tensor, "Q K"]:
    """The published score of every track and class, in [0, 1].

    Args:
        class_probs: probabilities of a track's masks.
        mask_quality: expected overlap of its masks, in [0, 1].
        object_logits: of object against nothing; their mean over the frames counts.
    """
    weighted = (class_probs * mask_quality[..., None]).sqrt().mean(dim=0)
    return (weighted * object_logits.mean(dim=0).sigmoid()[:, None]).sqrt()


def best_video_pairs(scores: Float[Tensor, "Q K"], *, num_pairs: int) -> VideoPairs:
    """The best pairs; a track may stand in several."""
    best, flat = scores.flatten().topk(min(num_pairs, scores.numel()))
    return VideoPairs(
        track_index=flat // scores.shape[1], class_index=flat % scores.shape[1], class_scores=best
    )


def absent_frames(
    pairs: VideoPairs, *, class_probs: Float[Tensor, "T Q K"], object_logits: Float[Tensor, "T Q"]
) -> tuple[Bool[Tensor, "N T"], Float[Tensor, "N T"]]:
    """In which frames the published code empties a listed track's mask, and the scores that decide it.

    It takes a sigmoid of what is a probability already, so that only the frame's object score decides.
    """
    probs = class_probs[:, pairs.track_index, pairs.class_index]  # (T, N)
    scores = (probs.sigmoid() * object_logits[:, pairs.track_index].sigmoid()).sqrt().T
    return scores < FRAME_FLOOR * pairs.class_scores[:, None], scores


def track_quality(mask_logits: Float[Tensor, "N T h w"]) -> Float[Tensor, " N"]:
    """Mean probability inside a track's masks (logit above 0), all frames together; 0 without any mask."""
    inside = (mask_logits > 0).to(mask_logits.dtype)
    total = (mask_logits.sigmoid() * inside).sum(dim=(-1, -2, -3))
    return total / (inside.sum(dim=(-1, -2, -3)) + AREA_EPS_PX)


def without_frames(
    mask_logits: Float[Tensor, "N T h w"], absent: Bool[Tensor, "N T"]
) -> Float[Tensor, "N T h w"]:
    """The masks with those of absent frames emptied."""
    return torch.where(absent[..., None, None], NO_MASK_LOGIT, mask_logits)
