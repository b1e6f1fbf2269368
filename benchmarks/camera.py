"""Figures of the model card of clipvis-camera, on photographs with masks that it was not trained on.

    python -m benchmarks.camera --data DATA [--model clipvis-camera] [--part objects ...] [--limit N]

DATA holds the folders `coco_small` and `ecssd` (each with instances.json and images/), and `imagenet_sample`
(images named after the class that they show, `n01440764_tench.jpg`). Parts:

    objects     held-out tenth of coco_small, any class: AR10 and recall at IoU 0.5 of the ten best proposals
    salient     ecssd: IoU of the best-ranked proposal, and of the best of ten, with the one object
    masks       held-out tenth of coco_small: right name of true masks, among its 80 names and among 17; how
                often the right name alone is given, and a wrong one
    pictures    imagenet_sample: right name of the picture, among 1,000 classes and among 50 common words
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from timm.data import ImageNetInfo
from torch import Tensor

from ovvis_cli.photographs.source import Photograph, read_folder, read_image, split
from ovvis_cli.vocabulary.word_list import WordList, word_list
from ovvis_models.heads.closed_set import mask_quality
from ovvis_models.loading import LoadedModel, load
from ovvis_models.networks.word_clip_vis import WordClipVis
from ovvis_models.preprocess import MASK_STRIDE, masks_to_original, proposal_images
from ovvis_models.proposal_selection import BestProposals
from ovvis_models.structures import ImageGeometry
from ovvis_models.systems.word_clip_vis import WordClipVisSpec

Item = TypeVar("Item")

IOU_THRESHOLDS = np.arange(0.5, 1.0, 0.05)
SIZES = {"all": 0, "at least 32 x 32": 32**2, "large, at least 96 x 96": 96**2}  # px of the photograph
COMMON_17 = [
    "dog",
    "cat",
    "bird",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
]
COMMON_50 = [
    "dog",
    "cat",
    "bird",
    "horse",
    "cow",
    "sheep",
    "elephant",
    "bear",
    "zebra",
    "camel",
    "monkey",
    "snake",
    "turtle",
    "frog",
    "fish",
    "shark",
    "spider",
    "butterfly",
    "rabbit",
    "pig",
    "lion",
    "tiger",
    "fox",
    "wolf",
    "car",
    "truck",
    "bus",
    "boat",
    "airplane",
    "train",
    "bicycle",
    "motorcycle",
    "chair",
    "table",
    "bottle",
    "cup",
    "clock",
    "guitar",
    "piano",
    "hat",
    "shoe",
    "ball",
    "camera",
    "television",
    "computer",
    "phone",
    "umbrella",
    "fruit",
    "flower",
    "mushroom",
]
WRONG = ("zebra", "pizza", "airplane", "umbrella")
NUM_PROPOSALS = 10


def main() -> None:
    """Print the figures of the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="clipvis-camera")
    parser.add_argument("--part", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    parser.add_argument(
        "--limit", type=int, default=None, help="only N photographs of each folder, evenly spread"
    )
    options = parser.parse_args()
    model = load(options.model)
    for part in options.part:
        print(f"{part}:")
        for line in PARTS[part](model, options.data, options.limit):
            print(f"    {line}", flush=True)


def objects(model: LoadedModel, data: Path, limit: int | None) -> list[str]:
    """Return recall of the held-out photographs of coco_small."""
    _, held_out = split(read_folder(data / "coco_small", complete=True))
    overlaps, areas = [], []
    for photograph in spread(held_out, limit):
        true = photograph.masks()
        if len(true):
            overlaps.append(ious(true, proposals(model, photograph)))
            areas.append(true.sum(axis=(1, 2)))
    area = np.concatenate(areas)
    found = np.stack([np.concatenate([matched(iou, t) for iou in overlaps]) for t in IOU_THRESHOLDS], axis=1)
    lines = []
    for name, least in SIZES.items():
        chosen = found[area >= least]
        lines.append(
            f"{name} ({len(chosen)}): AR10 {chosen.mean():.3f}, recall at 0.5 {chosen[:, 0].mean():.3f}"
        )
    return lines


def salient(model: LoadedModel, data: Path, limit: int | None) -> list[str]:
    """Return the overlap with the one object of ecssd's photographs."""
    first, best = [], []
    for photograph in spread(read_folder(data / "ecssd", complete=False), limit):
        iou = ious(photograph.masks(), proposals(model, photograph))[0]
        first.append(iou[0] if len(iou) else 0.0)
        best.append(iou.max(initial=0.0))
    return [f"{len(first)} photographs: best-ranked {np.mean(first):.3f}, best of ten {np.mean(best):.3f}"]


def masks(model: LoadedModel, data: Path, limit: int | None) -> list[str]:
    """Return how often the true masks of coco_small get their names."""
    words = word_list(_spec(model).words)
    photographs = read_folder(data / "coco_small", complete=True)
    _, held_out = split(photographs)
    names: list[str] = []
    parts = []
    for photograph in spread(held_out, limit):
        true = photograph.masks()
        if len(true):
            parts.append(row_probabilities(model, photograph.image(), true))
            names += photograph.names
    probs = torch.cat(parts)
    every = sorted({name for photograph in photographs for name in photograph.names})
    lines = [f"{len(names)} masks, {len(every)} names: {accuracy(probs, names, every, words):.3f}"]
    few = [index for index, name in enumerate(names) if name in COMMON_17]
    right = accuracy(probs[few], [names[index] for index in few], COMMON_17, words)
    lines.append(f"{len(few)} masks, 17 common names: {right:.3f}")
    alone = [bool(wins(row[None], [name], words)) for row, name in zip(probs, names, strict=True)]
    lines.append(f"its own name asked alone: named {np.mean(alone):.3f}")
    others = probs[[index for index, name in enumerate(names) if name not in WRONG]]
    lines.append(f"{', '.join(WRONG)} asked: named {wins(others, WRONG, words).float().mean():.3f}")
    return lines


def pictures(model: LoadedModel, data: Path, limit: int | None) -> list[str]:
    """Return how often whole pictures get the name of their class."""
    words = word_list(_spec(model).words)
    numbers = {ImageNetInfo().index_to_label_name(index): index for index in range(1000)}
    files = spread(sorted((data / "imagenet_sample").rglob("*.jpg")), limit)
    classes = torch.tensor([numbers[file.name.split("_")[0]] for file in files])
    probs = torch.cat([row_probabilities(model, read_image(file), None) for file in files])
    thousand = (probs[:, :1000].argmax(dim=1) == classes).float().mean()
    rows = [words.rows_of[word] for word in COMMON_50]
    kinds = [{number for number, row in enumerate(rows) if int(index) in row} for index in classes]
    scores = torch.stack([probs[:, sorted(row)].sum(dim=1) for row in rows], dim=1)
    common = [int(score.argmax()) in kind for score, kind in zip(scores, kinds, strict=True) if kind]
    return [
        f"{len(files)} pictures, 1,000 classes: {thousand:.3f}",
        f"{len(common)} pictures, {len(COMMON_50)} common words: {np.mean(common):.3f}",
    ]


PARTS: dict[str, Callable[[LoadedModel, Path, int | None], list[str]]] = {
    "objects": objects,
    "salient": salient,
    "masks": masks,
    "pictures": pictures,
}


@torch.inference_mode()
def proposals(model: LoadedModel, photograph: Photograph) -> Bool[np.ndarray, "N H W"]:
    """Return the masks of the best proposals, best first, without duplicates as in `segment`."""
    assert isinstance(model.network, WordClipVis), "measures clipvis-camera"
    predicted = model.network.predict(torch.from_numpy(photograph.image())[None])
    found = predicted.proposals
    select = BestProposals(score_floor=0.0, duplicate_overlap=model.spec.association.duplicate_overlap)
    scores = found.object_logits[0].sigmoid()
    if model.spec.association.weight_by_mask_confidence:
        scores = scores * mask_quality(found.mask_logits[0].flatten(1))
    chosen = select.choose(found.mask_logits[:1], scores)[:NUM_PROPOSALS]
    return masks_to_original(found.mask_logits[0, chosen], predicted.geometry).numpy()


@torch.inference_mode()
def row_probabilities(
    model: LoadedModel, image: np.ndarray, true: Bool[np.ndarray, "N H W"] | None
) -> Float[Tensor, "N R"]:
    """Return the probability of each row of the word table for each mask; None: for the whole picture."""
    network = model.network
    assert isinstance(network, WordClipVis), "only a word table has rows"
    pixels, geometry = proposal_images(torch.from_numpy(image)[None], network.image_input)
    covered = torch.ones(1, *image.shape[:2]) if true is None else torch.from_numpy(true).float()
    tokens = network.pooling(network.proposals.backbone(pixels), mask_logits(covered, geometry)[None])[0]
    rows = network.words.rows
    return (F.normalize(tokens, dim=-1) @ rows.T * network.words.logit_scale.exp()).softmax(dim=-1)


def mask_logits(covered: Float[Tensor, "N H0 W0"], geometry: ImageGeometry) -> Float[Tensor, "N h w"]:
    """Return masks of a frame at the stride of proposals, as logits."""
    resized = F.interpolate(covered[:, None], size=geometry.resized_hw, mode="area")
    height, width = (full - used for full, used in zip(geometry.padded_hw, geometry.resized_hw, strict=True))
    return F.avg_pool2d(F.pad(resized, (0, width, 0, height)), MASK_STRIDE)[:, 0] - 0.5


def accuracy(
    probs: Float[Tensor, "N R"], names: Sequence[str], among: Sequence[str], words: WordList
) -> float:
    """Return how often the most probable of some names is the right one."""
    scores = torch.stack([probs[:, sorted(words.rows_of[name])].sum(dim=1) for name in among], dim=1)
    return float(
        np.mean([among[int(best)] == name for best, name in zip(scores.argmax(dim=1), names, strict=True)])
    )


def wins(probs: Float[Tensor, "N R"], asked: Sequence[str], words: WordList) -> Bool[Tensor, " N"]:
    """Return where one of the names asked for is more probable than every other row, as `segment` decides."""
    rows = [sorted(words.rows_of[name]) for name in asked]
    scores = torch.stack([probs[:, own].sum(dim=1) for own in rows], dim=1)
    rest = probs.clone()
    rest[:, sorted({row for own in rows for row in own})] = 0.0
    return scores.amax(dim=1) >= rest.amax(dim=1)


def matched(iou: Float[np.ndarray, "N P"], threshold: float) -> Bool[np.ndarray, " N"]:
    """Return which objects are found: each proposal, best first, takes the object that it overlaps most."""
    found = np.zeros(len(iou), dtype=bool)
    for column in iou.T:
        free = np.where(found, 0.0, column)
        best = int(free.argmax())
        found[best] |= free[best] >= threshold
    return found


def ious(true: Bool[np.ndarray, "N H W"], proposed: Bool[np.ndarray, "P H W"]) -> Float[np.ndarray, "N P"]:
    """Return the IoU of each object with each proposal."""
    ours, theirs = (masks.reshape(len(masks), -1).astype(np.float32) for masks in (true, proposed))
    shared = ours @ theirs.T
    union = ours.sum(axis=1)[:, None] + theirs.sum(axis=1)[None] - shared
    return np.asarray(shared / np.maximum(union, 1.0))


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """Return `limit` of the items, evenly spread, or all."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, limit)]


def _spec(model: LoadedModel) -> WordClipVisSpec:
    assert isinstance(model.spec, WordClipVisSpec), "names are those of a word table"
    return model.spec


if __name__ == "__main__":
    main()
