"""Stage 1b: trains LoRA, instance tokens and register of InstCLIP on frames of base kinds.

Ground-truth masks are blurred and perturbed to resemble predicted ones. There are two losses: cross-entropy
over the base names, and distillation, which pulls each instance token to the frozen CLIP's embedding of the
object's tight crop, so that tokens of novel kinds stay aligned with the text tower.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from open_clip.model import CLIP
from torch import Tensor

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.diorama.scene import Clip, render_clip
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import InstClipStage
from ovvis_cli.training.stage_clip import normalised
from ovvis_models.networks.clip import ClipSpec, tokenize
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.vocabulary import encode_vocabulary

SEED_SPACE = 12
MASK_STRIDE = 4
STRIDE = 8  # between the frames used of a scene
CROP_MARGIN = 0.08  # fraction of the longer side of the box
LOGIT_RANGE = 8.0  # magnitude of a mask logit well inside or outside an object


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSample:
    """One frame at CLIP's size, with the mask logits, kinds and tight crops of its objects."""

    image: UInt8[np.ndarray, "Hc Wc 3"]
    mask_logits: Float[np.ndarray, "n h w"]
    kind_indices: Int[np.ndarray, " n"]
    crops: UInt8[np.ndarray, "n S S 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceBatch:
    """Stacked frames; instances are padded to the largest number, `valid` marks real ones."""

    images: UInt8[Tensor, "B Hc Wc 3"]
    mask_logits: Float[Tensor, "B N h w"]
    kind_indices: Int[Tensor, "B N"]
    valid: Bool[Tensor, "B N"]
    crops: UInt8[Tensor, "M S S 3"]  # crops of the valid instances, frame by frame


def instclip_stage(
    settings: InstClipStage,
    spec: ClipSpec,
    *,
    teacher: CLIP,
    student: InstCLIP,
) -> Stage[InstanceSample, InstanceBatch]:
    """Return the stage; `teacher` is the frozen CLIP of stage 0, `student` an InstCLIP on a copy of it."""
    device = teacher.logit_scale.device
    names = [kind.name for kind in BASE_KINDS]
    with torch.no_grad():
        class_embeds = encode_vocabulary(TextEncoder(teacher), tokenize, names).to(device)
    scale = teacher.logit_scale.detach().exp().clamp(max=100.0)
    seed = settings.schedule.seed

    @lru_cache(maxsize=1)  # a worker uses the frames of a scene one after another
    def scene(number: int) -> Clip:
        return render_clip(
            np.random.default_rng([SEED_SPACE, seed, 0, number]),
            kinds=BASE_KINDS,
            num_frames=settings.frames_per_scene,
            frame_hw=settings.frame_hw,
            stride=STRIDE,
        )

    def draw(number: int) -> InstanceSample:
        scene_number, frame = divmod(number, settings.frames_per_scene)
        clip = scene(scene_number)
        return instance_sample(
            clip.frames[frame],
            clip.masks[frame],
            np.array([BASE_KINDS.index(kind) for kind in clip.kinds]),
            rng=np.random.default_rng([SEED_SPACE, seed, 1, number]),
            settings=settings,
            crop_px=spec.vision.image_size,
        )

    def losses(batch: InstanceBatch) -> dict[str, Tensor]:
        student.visual.eval()  # frozen, including the statistics of its norms
        images = normalised(batch.images.to(device))
        tokens = student.encode_instances(images, batch.mask_logits.to(device))[batch.valid.to(device)]
        with torch.no_grad():
            crops = teacher.visual(normalised(batch.crops.to(device)))
        kind_indices = batch.kind_indices[batch.valid].to(device)
        return {
            "names": F.cross_entropy(scale * tokens @ class_embeds.T, kind_indices),
            "distillation": settings.distillation_weight * (1 - F.cosine_similarity(tokens, crops)).mean(),
        }

    return Stage(
        name="instclip", model=student, draw=draw, collate=collate, losses=losses, schedule=settings.schedule
    )


def instance_sample(
    image: UInt8[np.ndarray, "H W 3"],
    masks: Bool[np.ndarray, "n H W"],
    kind_indices: Int[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    settings: InstClipStage,
    crop_px: int,
) -> InstanceSample:
    """Return the sample of a frame: soft mask logits and tight crops of its visible objects."""
    visible = masks.any(axis=(1, 2))
    masks, kind_indices = masks[visible], kind_indices[visible]
    height, width = image.shape[:2]
    small_wh = (width // MASK_STRIDE, height // MASK_STRIDE)
    logits = np.empty((len(masks), small_wh[1], small_wh[0]), np.float32)
    crops = np.empty((len(masks), crop_px, crop_px, 3), np.uint8)
    for index, mask in enumerate(masks):
        logits[index] = uncertain_logits(mask, small_wh, rng=rng, noise=settings.mask_noise)
        crops[index] = tight_crop(image, mask, crop_px)
    clip_wh = (round(width * settings.clip_short_side / height), settings.clip_short_side)
    if clip_wh != (width, height):
        image = cv2.resize(image, clip_wh, interpolation=cv2.INTER_AREA)
    return InstanceSample(image=image, mask_logits=logits, kind_indices=kind_indices, crops=crops)


def uncertain_logits(
    mask: Bool[np.ndarray, "H W"], size_wh: tuple[int, int], *, rng: np.random.Generator, noise: float
) -> Float[np.ndarray, "h w"]:
    """Return mask logits that resemble a network's prediction: randomly blurred, shifted and noisy."""
    soft = cv2.resize(mask.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(soft, (0, 0), float(rng.uniform(0.4, 1.6)))
    coarse = rng.normal(0.0, noise, (max(2, size_wh[1] // 8), max(2, size_wh[0] // 8))).astype(np.float32)
    wobble = cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC)
    return (LOGIT_RANGE * (2 * soft - 1) + wobble + rng.normal(0.0, 0.5 * noise)).astype(np.float32)


def tight_crop(
    image: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"], crop_px: int
) -> UInt8[np.ndarray, "S S 3"]:
    """Return the square crop around a mask's box with a small margin; the frame's border is replicated."""
    ys, xs = np.nonzero(mask)
    center = (float(xs.min() + xs.max() + 1) / 2, float(ys.min() + ys.max() + 1) / 2)
    side = max(xs.max() - xs.min() + 1, ys.max() - ys.min() + 1) * (1 + 2 * CROP_MARGIN)
    zoom = crop_px / side
    transform = np.array(
        [[zoom, 0, crop_px / 2 - zoom * center[0]], [0, zoom, crop_px / 2 - zoom * center[1]]], np.float32
    )
    return cv2.warpAffine(
        image, transform, (crop_px, crop_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def collate(samples: list[InstanceSample]) -> InstanceBatch:
    """Stack frames and pad instances."""
    most = max(1, *(len(sample.kind_indices) for sample in samples))
    h, w = samples[0].mask_logits.shape[1:]
    mask_logits = torch.full((len(samples), most, h, w), -LOGIT_RANGE)
    kind_indices = torch.zeros(len(samples), most, dtype=torch.long)
    valid = torch.zeros(len(samples), most, dtype=torch.bool)
    for row, sample in enumerate(samples):
        count = len(sample.kind_indices)
        mask_logits[row, :count] = torch.from_numpy(sample.mask_logits)
        kind_indices[row, :count] = torch.from_numpy(sample.kind_indices)
        valid[row, :count] = True
    return InstanceBatch(
        images=torch.from_numpy(np.stack([sample.image for sample in samples])),
        mask_logits=mask_logits,
        kind_indices=kind_indices,
        valid=valid,
        crops=torch.from_numpy(np.concatenate([sample.crops for sample in samples])),
    )
