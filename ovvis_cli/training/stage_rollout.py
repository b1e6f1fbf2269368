"""Stage 2: trains the rollout tracker on tracking tokens of base kinds; proposals and InstCLIP are frozen.

The frozen networks process each clip once, and the tokens of its objects, matched by mask overlap, are
stored. The tracker is trained on random augmentations of them: reversed or strided in time, objects dropped
for a few frames, and tokens of several clips combined, so that the identity map is not sufficient.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.diorama.scene import Clip, render_clip
from ovvis_cli.training.loop import Stage, drawn
from ovvis_cli.training.recipe import RolloutStage
from ovvis_models.losses.temporal_contrastive import temporal_contrastive_loss
from ovvis_models.networks.instformer import InstFormer
from ovvis_models.structures import ImageGeometry
from ovvis_models.trackers.rollout import RolloutTracker
from ovvis_models.trackers.tracker import tracking_tokens

SEED_SPACE = 13
MATCH_IOU = 0.5
MASK_STRIDE = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClip:
    """Tracking tokens of the objects in one clip; `seen` marks the frames with a matching proposal."""

    tokens: Float[Tensor, "T N F"]
    seen: Bool[Tensor, "T N"]


def rollout_stage(
    settings: RolloutStage, clips: list[TokenClip], *, tracker: RolloutTracker, device: torch.device
) -> Stage[TokenClip, list[TokenClip]]:
    """Return the stage, on tokens from `collect_tokens`."""
    seed = settings.schedule.seed

    def draw(number: int) -> TokenClip:
        rng = np.random.default_rng([SEED_SPACE, seed, 1, number])
        return random_reading(clips[int(rng.integers(len(clips)))], rng, settings.drop_probability)

    def losses(batch: list[TokenClip]) -> dict[str, Tensor]:
        tokens, seen = side_by_side(batch)
        return {"rollout": rollout_loss(tracker, tokens.to(device), seen.to(device), settings.temperature)}

    return Stage(
        name="rollout", model=tracker, draw=draw, collate=list, losses=losses, schedule=settings.schedule
    )


def collect_tokens(
    settings: RolloutStage, model: InstFormer, *, device: torch.device, on_clip: Callable[[int, int], None]
) -> list[TokenClip]:
    """Run the frozen networks over rendered clips; `on_clip(done, total)` is a progress callback."""

    def render(number: int) -> Clip:
        rng = np.random.default_rng([SEED_SPACE, settings.schedule.seed, 0, number])
        return render_clip(rng, kinds=BASE_KINDS, num_frames=settings.clip_frames, frame_hw=settings.frame_hw)

    clips = []
    rendered = drawn(render, first=0, last=settings.num_clips, workers=settings.schedule.workers)
    for number, clip in enumerate(rendered):
        with torch.inference_mode():
            prediction = model.predict(torch.from_numpy(clip.frames).to(device))
            tokens = tracking_tokens(
                prediction.proposals.query_embeds, prediction.instance_tokens
            )  # (T, Q, F)
            chosen, seen = proposals_of_objects(
                prediction.proposals.mask_logits > 0,
                prediction.geometry,
                torch.from_numpy(clip.masks).to(device),
            )
        picked = tokens.gather(1, chosen[..., None].expand(-1, -1, tokens.shape[-1]))
        clips.append(TokenClip(tokens=picked.cpu().clone(), seen=seen.cpu().clone()))
        on_clip(number + 1, settings.num_clips)
    _log.info(
        "%d of %d objects in frames found",
        sum(int(c.seen.sum()) for c in clips),
        sum(c.seen.numel() for c in clips),
    )
    return clips


def proposals_of_objects(
    proposal_masks: Bool[Tensor, "T Q h w"], geometry: ImageGeometry, object_masks: Bool[Tensor, "T N H0 W0"]
) -> tuple[Int[Tensor, "T N"], Bool[Tensor, "T N"]]:
    """Return for each object and frame the proposal with the highest IoU, and whether it is a match."""
    height, width = (-(-side // MASK_STRIDE) for side in geometry.resized_hw)
    proposals = proposal_masks[..., :height, :width].flatten(2).float()  # (T, Q, hw)
    small = F.interpolate(object_masks.float(), (height, width), mode="area").flatten(2).round()  # (T, N, hw)
    inter = torch.einsum("tnp,tqp->tnq", small, proposals)
    union = small.sum(-1)[..., None] + proposals.sum(-1)[:, None] - inter
    overlap, chosen = (inter / union.clamp(min=1)).max(dim=-1)
    return chosen, overlap >= MATCH_IOU


def random_reading(clip: TokenClip, rng: np.random.Generator, drop_probability: float) -> TokenClip:
    """Augment a clip: play it forwards or backwards, at stride 1 or 2, and drop objects for some frames."""
    stride = int(rng.integers(1, 3))
    order = np.arange(0, clip.tokens.shape[0], stride)
    order = order[::-1].copy() if rng.random() < 0.5 else order
    seen = clip.seen[order].clone()
    for column in range(seen.shape[1]):
        if rng.random() < 2 * drop_probability:
            start, length = int(rng.integers(1, len(order))), int(rng.integers(1, 4))
            seen[start : start + length, column] = False
    return TokenClip(tokens=clip.tokens[order], seen=seen)


def side_by_side(clips: list[TokenClip]) -> tuple[Float[Tensor, "T N F"], Bool[Tensor, "T N"]]:
    """Concatenate the objects of all clips; shorter clips are padded with unseen frames."""
    length = max(clip.tokens.shape[0] for clip in clips)
    tokens = [F.pad(clip.tokens, (0, 0, 0, 0, 0, length - clip.tokens.shape[0])) for clip in clips]
    seen = [F.pad(clip.seen, (0, 0, 0, length - clip.seen.shape[0])) for clip in clips]
    return torch.cat(tokens, dim=1), torch.cat(seen, dim=1)


def rollout_loss(
    tracker: RolloutTracker, tokens: Float[Tensor, "T N F"], seen: Bool[Tensor, "T N"], temperature: float
) -> Float[Tensor, ""]:
    """Return L_TC (paper Eq. 6) over all frames; an unseen object keeps its prediction and memory."""
    hidden = tokens.new_zeros(tokens.shape[1], tracker.cell.hidden_size)
    expected, known = tokens[0], torch.zeros_like(seen[0])
    total = tokens.new_zeros(())
    for frame, (now, is_seen) in enumerate(zip(tokens, seen, strict=True)):
        if frame:
            total = total + temporal_contrastive_loss(
                expected, now, predicted_valid=known, next_valid=is_seen, temperature=temperature
            )
        predicted, next_hidden = tracker.predict(now, hidden)
        expected = torch.where(is_seen[:, None], predicted, expected)
        hidden = torch.where(is_seen[:, None], next_hidden, hidden)
        known = known | is_seen
    return total / (len(tokens) - 1)
