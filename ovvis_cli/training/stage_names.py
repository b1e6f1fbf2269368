"""Names stage: fits the rows of the word table to the tokens of labelled masks in photographs.

The rows of ImageNet classes start from the classifier of the frozen network and change little. Each class
name of the photographs and each kind of drawing gets a new row, and proposals without an object get a few
rows. The loss sums the probabilities of all rows of a name, because a dog may look like any breed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ovvis_cli.photographs.frames import LabelledFrame
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import NameStage
from ovvis_models.heads.coverage_pooling import ONE
from ovvis_models.networks.word_clip_vis import WordClipVis
from ovvis_models.preprocess import MASK_STRIDE, proposal_images
from ovvis_models.proposal_selection import BestProposals

TOKEN_NORM = 21.0
"""Norm that tokens are scaled to, about the mean norm for objects in photographs."""

NO_OBJECT = -1
"""Index of the name of what is no object of the word table."""

_COLLECTED = BestProposals(score_floor=0.1, duplicate_overlap=0.9)
_SAME_IOU, _OTHER_COVER = 0.5, 0.2  # minimum IoU of a match; maximum coverage of a proposal without object
_SMALL_SHARE, _SMALL_WEIGHT = 0.005, 0.5  # fraction of the frame; weight of a smaller object
_BALANCE = 1.0  # names are weighted by their inverse frequency to this power


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTokens:
    """Tokens of masks, and the index of each one's name or NO_OBJECT."""

    tokens: Float[Tensor, "N D"]  # scaled to TOKEN_NORM
    names: Int[Tensor, " N"]
    weights: Float[Tensor, " N"]


@torch.inference_mode()
def tokens_of(
    network: WordClipVis, frame: LabelledFrame, *, names: Sequence[str], device: torch.device
) -> NamedTokens:
    """Return the tokens of labelled masks, and of proposals that clearly match an object or no object.

    An object whose name is not among `names` counts as no object: none of the words means it.
    """
    side = frame.image.shape[:2]
    as_large = replace(network.image_input, short_side=min(side), max_side=max(side))
    images, _ = proposal_images(torch.from_numpy(frame.image)[None].to(device), as_large)
    maps = network.proposals.backbone(images)
    found = network.proposals.proposals_of(
        network.proposals.query_decoder.last(network.proposals.pixel_decoder(maps))
    )
    true = _at_stride(torch.from_numpy(frame.masks).to(device))
    scores = found.object_logits[0].sigmoid()
    chosen = _COLLECTED.choose(found.mask_logits[0][None], scores)
    proposed = found.mask_logits[0][chosen]
    number_of = {name: number for number, name in enumerate(names)}
    own = torch.tensor([number_of.get(name, NO_OBJECT) for name in frame.names], dtype=torch.long)
    unlabelled = _at_stride(torch.from_numpy(frame.unlabelled)[None].to(device))[0]
    guessed = _named(proposed > 0, true > 0, own, unlabelled > 0)
    clear = guessed > _UNCLEAR
    masks = torch.cat([true, proposed[clear.to(device)]])
    if len(masks) == 0:
        empty = torch.zeros(0)
        return NamedTokens(
            tokens=torch.zeros(0, network.pooling.embed_dim), names=empty.long(), weights=empty
        )
    tokens = F.normalize(network.pooling(maps, masks[None])[0].float(), dim=-1) * TOKEN_NORM
    seen = (masks > 0).flatten(1).float().mean(dim=1)
    labels = torch.cat([own, guessed[clear]])
    kept = (seen > 0).cpu()
    weights = torch.where(seen < _SMALL_SHARE, _SMALL_WEIGHT, 1.0).cpu()
    return NamedTokens(tokens=tokens.cpu()[kept], names=labels[kept], weights=weights[kept])


_UNCLEAR = -2


def _named(
    proposed: Bool[Tensor, "P h w"],
    true: Bool[Tensor, "N h w"],
    own: Int[Tensor, " N"],
    unlabelled: Bool[Tensor, "h w"],
) -> Int[Tensor, " P"]:
    """Return the name index of each proposal, NO_OBJECT or _UNCLEAR."""
    ours, theirs = proposed.flatten(1).float(), true.flatten(1).float()
    shared = ours @ theirs.T  # P N
    area = ours.sum(dim=1)
    iou = shared / (area[:, None] + theirs.sum(dim=1)[None] - shared).clamp(min=1)
    labelled = torch.cat([true, unlabelled[None]]).any(dim=0).flatten().float()
    covered = (ours @ labelled) / area.clamp(min=1)
    none = torch.where(covered.cpu() < _OTHER_COVER, NO_OBJECT, _UNCLEAR)
    if len(own) == 0:
        return none
    best, index = iou.cpu().max(dim=1)
    return torch.where(best >= _SAME_IOU, own[index], none)


def _at_stride(masks: Bool[Tensor, "N H W"]) -> Float[Tensor, "N h w"]:
    """Return the masks as logits at the stride of proposals."""
    if len(masks) == 0:
        return masks[:, ::MASK_STRIDE, ::MASK_STRIDE].float()
    return F.avg_pool2d(masks[None].float(), MASK_STRIDE)[0] - 0.5


class NameRows(nn.Module):
    """Trainable rows of a word table: classifier rows, name rows and "no object" rows."""

    classes: Tensor

    def __init__(self, classes: Float[Tensor, "K D"], *, num_names: int, num_nothing: int) -> None:
        super().__init__()
        self.register_buffer("classes", classes)
        self.change = nn.Parameter(torch.zeros_like(classes))
        # rows of one word start apart, so that each can take a part of its things, such as its drawings
        self.own = nn.Parameter(torch.randn(num_names, classes.shape[1]) * 0.01)
        self.nothing = nn.Parameter(torch.randn(num_nothing, classes.shape[1]) * 0.01)

    def rows(self) -> Float[Tensor, "R D"]:
        """Return all rows: classes, names, "no object"."""
        return torch.cat([self.classes + self.change, self.own, self.nothing])


def classifier_rows(weight: Float[Tensor, "K C"], bias: Float[Tensor, " K"], *, width: int) -> Tensor:
    """Return the weight and bias of a classifier as rows for tokens of `width`."""
    rows = weight.new_zeros(len(weight), width)
    rows[:, : weight.shape[1]] = weight
    rows[:, -2] = bias / ONE
    return rows


def name_stage(
    settings: NameStage,
    rows: NameRows,
    tokens: NamedTokens,
    *,
    rows_of: Sequence[frozenset[int]],
    device: torch.device,
) -> Stage[int, Tensor]:
    """Return the stage that fits `rows` to `tokens`.

    Args:
        settings: settings of the stage.
        rows: the rows to train.
        tokens: tokens of all masks.
        rows_of: the row numbers of each name.
        device: device to train on.
    """
    num_rows = len(rows.rows())
    member = torch.zeros(len(rows_of) + 1, num_rows, dtype=torch.bool)  # last: no object
    for number, own in enumerate(rows_of):
        member[number, sorted(own)] = True
    member[-1, num_rows - len(rows.nothing) :] = True
    counts = torch.bincount(tokens.names % len(member), minlength=len(member)).float()
    weights = tokens.weights * counts.clamp(min=1)[tokens.names % len(member)] ** -_BALANCE
    weights = weights / weights.mean()
    rows = rows.to(device)

    def draw(number: int) -> int:
        rng = np.random.default_rng([settings.schedule.seed, number])
        return int(rng.integers(len(tokens.names)))

    def losses(chosen: Tensor) -> dict[str, Tensor]:
        x = tokens.tokens[chosen].to(device)
        logits = x @ rows.rows().T
        log_probs = logits.log_softmax(dim=1)
        among_classes = logits[:, : len(rows.classes)].log_softmax(dim=1)
        before = (x @ rows.classes.T).softmax(dim=1)
        mine = member[tokens.names[chosen]].to(device)
        right = torch.logsumexp(log_probs.masked_fill(~mine, -torch.inf), dim=1)
        return {
            "name": -(right * weights[chosen].to(device)).mean(),
            "rows": settings.row_penalty * (rows.own.square().sum() + rows.nothing.square().sum()),
            "keep": settings.keep_weight * F.kl_div(among_classes, before, reduction="batchmean"),
            "classes": settings.class_penalty * rows.change.square().sum(),
        }

    return Stage(
        name="names", model=rows, draw=draw, collate=torch.tensor, losses=losses, schedule=settings.schedule
    )


def collect(
    frame_of: Callable[[int], LabelledFrame],
    network: WordClipVis,
    *,
    num_frames: int,
    names: Sequence[str],
    device: torch.device,
) -> NamedTokens:
    """Return the tokens of `num_frames` frames."""
    parts = [tokens_of(network, frame_of(number), names=names, device=device) for number in range(num_frames)]
    return NamedTokens(
        tokens=torch.cat([part.tokens for part in parts]),
        names=torch.cat([part.names for part in parts]),
        weights=torch.cat([part.weights for part in parts]),
    )
