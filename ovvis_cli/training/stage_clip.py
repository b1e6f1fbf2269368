"""Stage 0: trains a small CLIP on images of single objects with captions, for all kinds of the diorama.

There are two contrastive losses: images against the captions of the batch (equal captions are positives), and
images against the names of all kinds, each sampled from its synonyms and the prompt templates. Two randomly
initialised towers align slowly (measured: nothing learnt in 120 steps), so each kind also has a fixed random
anchor embedding, and a third loss pulls images, image parts (`clip_towers.py`) and names to the anchor of
their kind. In a fraction of the steps the position table is resampled from a random window, so that objects
are recognised anywhere in a larger frame.

The first images have plain backgrounds, which are easier to learn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from open_clip.model import CLIP
from torch import Tensor

from ovvis_cli.diorama.kinds import ALL_KINDS
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import NAMED_COLORS, PATTERNS
from ovvis_cli.diorama.single import render_single
from ovvis_cli.training.clip_towers import training_tower
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import ClipStage
from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD
from ovvis_models.networks.clip import ClipSpec, build_clip, tokenize
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.prompts import PROMPT_TEMPLATES

PICTURES_PER_ROUND, READINGS = 512, 3  # each rendered image is used three times, some batches apart
NUM_STATISTICS = 256  # images from which the initial scale and shift are computed
ANCHOR_SCALE = 14.0  # logit scale of the anchor loss; CLIP's initial temperature
SEED_SPACE = 10  # first entropy word, different for each stage and validation set


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedImage:
    """One image with its kind and caption."""

    image: UInt8[np.ndarray, "S S 3"]
    kind_index: int
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedBatch:
    """A batch of captioned images."""

    images: UInt8[Tensor, "B S S 3"]
    kind_indices: Int[Tensor, " B"]
    captions: Int[Tensor, "B L"]  # tokens


def clip_stage(
    settings: ClipStage, spec: ClipSpec, *, device: torch.device
) -> Stage[CaptionedImage, CaptionedBatch]:
    """Return the stage, with a randomly initialised CLIP of `spec` on `device`."""
    torch.manual_seed(settings.schedule.seed)
    clip = build_clip(spec)
    tower = training_tower(clip)
    seed = settings.schedule.seed
    num_plain = round(
        settings.plain_share * settings.schedule.steps * settings.schedule.batch_size / READINGS
    )
    stacked = partial(collate, context_length=spec.text.context_length)

    @lru_cache(maxsize=2 * PICTURES_PER_ROUND)  # only a cache; a sample is a pure function of its number
    def picture(source: int) -> CaptionedImage:
        rng = np.random.default_rng([SEED_SPACE, seed, 0, source])
        image, kind, caption = render_single(
            rng, kinds=ALL_KINDS, size_px=settings.image_px, plain=source < num_plain
        )
        return CaptionedImage(image=image, kind_index=ALL_KINDS.index(kind), caption=caption)

    def draw(number: int) -> CaptionedImage:
        round_number, place = divmod(number, PICTURES_PER_ROUND * READINGS)
        drawn = picture(round_number * PICTURES_PER_ROUND + place % PICTURES_PER_ROUND)
        rng = np.random.default_rng([SEED_SPACE, seed, 1, number])
        return replace(drawn, image=reread(drawn.image, rng))

    tower.centre(normalised(stacked([draw(number) for number in range(NUM_STATISTICS)]).images))
    clip.to(device)
    prompts = NamePrompts(ALL_KINDS, context_length=spec.text.context_length)
    anchors = torch.nn.init.orthogonal_(torch.empty(len(ALL_KINDS), spec.embed_dim)).to(device)
    encode_text = TextEncoder(clip)

    def losses(batch: CaptionedBatch) -> dict[str, Tensor]:
        images = normalised(batch.images.to(device))
        image_embeds, part_embeds = tower.encode(images, window_probability=settings.window_probability)
        texts = cut(torch.cat([batch.captions, prompts.draw()])).to(device)
        scale = clip.logit_scale.exp().clamp(max=100.0)
        caption_embeds, name_embeds = encode_text(texts).split([len(batch.captions), len(anchors)])
        kind_indices = batch.kind_indices.to(device)
        every_kind = torch.arange(len(anchors), device=device)
        anchor_loss = (
            F.cross_entropy(ANCHOR_SCALE * image_embeds @ anchors.T, kind_indices)
            + F.cross_entropy(ANCHOR_SCALE * part_embeds @ anchors.T, kind_indices)
            + F.cross_entropy(ANCHOR_SCALE * name_embeds @ anchors.T, every_kind)
        )
        return {
            "captions": _contrast(scale * image_embeds @ caption_embeds.T, texts[: len(batch.captions)]),
            "names": settings.name_weight
            * F.cross_entropy(scale * image_embeds @ name_embeds.T, kind_indices),
            "anchors": settings.anchor_weight * anchor_loss,
        }

    return Stage(
        name="clip", model=clip, draw=draw, collate=stacked, losses=losses, schedule=settings.schedule
    )


class NamePrompts:
    """Tokenised prompts with the names and synonyms of all kinds; `draw` samples one prompt per kind."""

    def __init__(self, kinds: Sequence[Kind], *, context_length: int) -> None:
        options = [(kind.name, *kind.synonyms) for kind in kinds]
        self._num_options = torch.tensor([len(names) for names in options])
        self._tokens = torch.zeros(
            len(kinds), int(self._num_options.max()), len(PROMPT_TEMPLATES), context_length, dtype=torch.long
        )
        for row, names in zip(self._tokens, options, strict=True):
            for place, name in zip(row, names, strict=False):
                texts = [template.format(name) for template in PROMPT_TEMPLATES]
                place[:] = tokenize(texts, context_length=context_length)

    def draw(self) -> Int[Tensor, "K L"]:
        """Sample one prompt per kind, with a random template.

        Half of the draws use the name itself, the others any of the name and its synonyms.
        """
        num_kinds, _, num_templates, _ = self._tokens.shape
        any_option = (torch.rand(num_kinds) * self._num_options).long()
        option = torch.where(torch.rand(num_kinds) < 0.5, 0, any_option)
        return self._tokens[torch.arange(num_kinds), option, torch.randint(num_templates, (num_kinds,))]


def collate(samples: list[CaptionedImage], *, context_length: int) -> CaptionedBatch:
    """Stack samples into a batch."""
    return CaptionedBatch(
        images=torch.from_numpy(np.stack([sample.image for sample in samples])),
        kind_indices=torch.tensor([sample.kind_index for sample in samples]),
        captions=tokenize([sample.caption for sample in samples], context_length=context_length),
    )


def cut(tokens: Int[Tensor, "S L"]) -> Int[Tensor, "S _L"]:
    """Remove the columns that are padding in all token rows."""
    return tokens[:, : int(tokens.argmax(dim=1).max()) + 1]


def reread(image: UInt8[np.ndarray, "S S 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "S S 3"]:
    """Randomly shift, scale, rotate and mirror an image, which is cheaper than rendering another one."""
    size = image.shape[0]
    transform = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-10, 10), rng.uniform(0.85, 1.1))
    transform[:, 2] += rng.uniform(-0.06, 0.06, 2) * size
    if rng.random() < 0.5:
        transform = transform @ np.array([[-1.0, 0, size - 1], [0, 1, 0], [0, 0, 1]])
    return cv2.warpAffine(image, transform, (size, size), borderMode=cv2.BORDER_REFLECT)


def normalised(images: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
    """Normalise images with CLIP's mean and standard deviation."""
    values = images.permute(0, 3, 1, 2).float() / 255
    mean, std = values.new_tensor(CLIP_MEAN).view(3, 1, 1), values.new_tensor(CLIP_STD).view(3, 1, 1)
    return (values - mean) / std


def _contrast(logits: Float[Tensor, "B B"], captions: Int[Tensor, "B L"]) -> Float[Tensor, ""]:
    """Return the symmetric cross-entropy in which equal captions share the target probability."""
    same = (captions[:, None] == captions).all(dim=-1).to(logits.dtype)
    targets = same / same.sum(dim=1, keepdim=True)
    return 0.5 * (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets))


def forget_unseen_tokens(clip: CLIP, spec: ClipSpec) -> None:
    """Set the embeddings of tokens that no training caption or prompt contains to zero, in place."""
    names = [name for kind in ALL_KINDS for name in (kind.name, *kind.synonyms)]
    looks = [f"a {pattern} {color} object" for color in NAMED_COLORS for pattern in PATTERNS]
    texts = [template.format(name) for template in PROMPT_TEMPLATES for name in names]
    captions = [f"{article} {name}" for article in ("a", "an") for name in names]
    tokens = tokenize([*texts, *looks, *captions], context_length=spec.text.context_length)
    seen = torch.unique(tokens)  # type: ignore[no-untyped-call]
    kept = torch.zeros(len(clip.token_embedding.weight), 1)
    kept[seen] = 1
    with torch.no_grad():
        clip.token_embedding.weight.mul_(kept.to(clip.token_embedding.weight.device))


def name_accuracy(
    clip: CLIP, spec: ClipSpec, kinds: Sequence[Kind], batch: CaptionedBatch
) -> Float[Tensor, " B"]:
    """Return 1 for each image whose kind scores best with the prompt 'a photo of a {}.', else 0.

    Kind indices refer to `kinds`.
    """
    with torch.inference_mode():
        prompts = [f"a photo of a {kind.name}." for kind in kinds]
        texts = TextEncoder(clip)(cut(tokenize(prompts, context_length=spec.text.context_length)))
        images = F.normalize(clip.visual(normalised(batch.images)), dim=-1)
        return ((images @ texts.T).argmax(dim=1) == batch.kind_indices).float()
