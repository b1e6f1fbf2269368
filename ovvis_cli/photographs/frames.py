"""Training frames from photographs: random crops and colours, with cut-outs of others pasted in."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from pycocotools import mask as coco_mask

from ovvis_cli.diorama.compositing import Patch, blend, placement, premultiplied, warp
from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.diorama.scene import render_clip
from ovvis_cli.photographs.source import Photograph

MIN_VISIBLE_PX = 40  # of an object in a frame; smaller ones are neither objects nor background
_MIN_CUTOUT_PX = 48 * 48
_MAX_ZOOM = 1.6
_PASTE_SHARE = 0.6
_MAX_PASTED = 3
_MAX_CUTOUT_SIDE = 320
_DRAWN_KINDS = BASE_KINDS  # the others stay unseen, as in the training of the other embedded models
_MIN_LEFT = 0.25  # share of a labelled object that a pasted one leaves visible


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFrame:
    """A frame, its objects' visible masks, and where it is not known whether there are others."""

    image: UInt8[np.ndarray, "H W 3"]
    masks: Bool[np.ndarray, "N H W"]
    names: tuple[str, ...]  # of the objects
    unlabelled: Bool[np.ndarray, "H W"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Photographs to draw from, landscape and portrait, each with its weight."""

    photographs: tuple[Photograph, ...]
    weights: Float[np.ndarray, " P"]  # sum to one
    cutouts: tuple[tuple[int, int], ...]  # photograph and object, large enough to be pasted
    cutout_weights: Float[np.ndarray, " K"]


def make_pool(folders: Sequence[tuple[list[Photograph], float, float]]) -> Pool:
    """Return a pool of folders, each with its share of the photographs and of the cut-outs."""
    photographs: list[Photograph] = []
    weights: list[float] = []
    cutouts: list[tuple[int, int]] = []
    cutout_weights: list[float] = []
    for folder, share, cutout_share in folders:
        own = [
            (len(photographs) + index, number)
            for index, photograph in enumerate(folder)
            for number, code in enumerate(photograph.codes)
            if _area(code) >= _MIN_CUTOUT_PX
        ]
        photographs += folder
        weights += [share / len(folder)] * len(folder)
        cutouts += own
        cutout_weights += list(
            cutout_share * _balanced([photographs[index].names[number] for index, number in own])
        )
    return Pool(
        photographs=tuple(photographs),
        weights=np.asarray(weights) / sum(weights),
        cutouts=tuple(cutouts),
        cutout_weights=np.asarray(cutout_weights) / sum(cutout_weights),
    )


def draw_frame(rng: np.random.Generator, pool: Pool, *, frame_hw: tuple[int, int]) -> LabelledFrame:
    """Return a random frame of `frame_hw`."""
    photograph = pool.photographs[_fitting(rng, pool, frame_hw=frame_hw)]
    image, masks = photograph.image(), photograph.masks()
    matrix = _crop(rng, size_hw=image.shape[:2], frame_hw=frame_hw)
    size = (frame_hw[1], frame_hw[0])
    shrinks = abs(matrix[0, 0]) < 0.7
    if shrinks:  # warping skips pixels then
        image = cv2.blur(image, (2, 2))
    frame = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    frame = _recoloured(rng, np.asarray(frame, dtype=np.uint8))
    moved = np.zeros((len(masks), *frame_hw), dtype=bool)
    for mask, target in zip(masks, moved, strict=True):
        warped = cv2.warpAffine(mask.view(np.uint8) * 255, matrix, size, flags=cv2.INTER_LINEAR)
        target[:] = warped > 127
    unlabelled = np.full(frame_hw, not photograph.complete)
    unlabelled[np.any(moved, axis=0)] = False
    scene = LabelledFrame(image=frame, masks=moved, names=photograph.names, unlabelled=unlabelled)
    if rng.random() < _PASTE_SHARE:
        for _ in range(int(rng.integers(1, _MAX_PASTED + 1))):
            scene = _with_cutout(rng, pool, scene)
    image = scene.image
    if rng.random() < 0.15:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4))), dtype=np.uint8)
    large = scene.masks.sum(axis=(1, 2)) >= MIN_VISIBLE_PX
    unlabelled = scene.unlabelled.copy()
    unlabelled[scene.masks[~large].any(axis=0)] = True
    return LabelledFrame(
        image=np.ascontiguousarray(image),
        masks=scene.masks[large],
        names=tuple(name for name, kept in zip(scene.names, large, strict=True) if kept),
        unlabelled=unlabelled,
    )


def drawn_frame(rng: np.random.Generator, *, frame_hw: tuple[int, int]) -> LabelledFrame:
    """Return a random frame of the diorama, so that drawings are found as well; everything is labelled."""
    clip = render_clip(rng, kinds=_DRAWN_KINDS, num_frames=1, frame_hw=frame_hw)
    visible = clip.masks[0].sum(axis=(1, 2)) >= MIN_VISIBLE_PX
    return LabelledFrame(
        image=clip.frames[0],
        masks=clip.masks[0][visible],
        names=tuple(kind.name for kind, kept in zip(clip.kinds, visible, strict=True) if kept),
        unlabelled=np.zeros(frame_hw, dtype=bool),
    )


def cutout_of(photograph: Photograph, number: int) -> UInt8[np.ndarray, "h w 4"]:
    """Return an object without its background: RGB and a softened alpha, cropped tight."""
    image, mask = photograph.image(), photograph.mask(number)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    area = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    alpha = cv2.GaussianBlur(cv2.erode(mask[area].astype(np.uint8) * 255, np.ones((2, 2))), (3, 3), 0)
    rgba = np.dstack([image[area], alpha])
    scale = _MAX_CUTOUT_SIDE / max(rgba.shape[:2])
    if scale < 1:
        rgba = cv2.resize(rgba, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(rgba, dtype=np.uint8)


def _with_cutout(rng: np.random.Generator, pool: Pool, scene: LabelledFrame) -> LabelledFrame:
    """Paste a random cut-out in place, unless it would hide most of a labelled object."""
    index, number = pool.cutouts[int(rng.choice(len(pool.cutouts), p=pool.cutout_weights))]
    photograph = pool.photographs[index]
    patch = _patch(rng, cutout_of(photograph, number), frame_hw=scene.unlabelled.shape)
    if patch is None:
        return scene
    before = scene.masks.sum(axis=(1, 2))
    hidden = (scene.masks[:, *patch.area] & patch.solid).sum(axis=(1, 2))
    if (before - hidden < _MIN_LEFT * before).any():
        return scene
    blend(scene.image, patch)
    scene.masks[:, *patch.area] &= ~patch.solid
    scene.unlabelled[patch.area] &= ~patch.solid
    own = np.zeros((1, *scene.unlabelled.shape), dtype=bool)
    own[0, *patch.area] = patch.solid
    return LabelledFrame(
        image=scene.image,
        masks=np.concatenate([scene.masks, own]),
        names=(*scene.names, photograph.names[number]),
        unlabelled=scene.unlabelled,
    )


def _patch(
    rng: np.random.Generator, rgba: UInt8[np.ndarray, "h w 4"], *, frame_hw: tuple[int, ...]
) -> Patch | None:
    """Return a cut-out mirrored, recoloured, scaled and turned at a random place of a frame."""
    if rng.random() < 0.5:
        rgba = np.ascontiguousarray(rgba[:, ::-1])
    rgba[:, :, :3] = _recoloured(rng, np.ascontiguousarray(rgba[:, :, :3]))
    height, width = frame_hw
    side = math.exp(rng.uniform(math.log(0.12), math.log(0.9))) * min(height, width)
    scale = min(side / max(rgba.shape[:2]), 1.5)
    if scale < 0.6:  # warping would skip pixels
        rgba = np.asarray(cv2.resize(rgba, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        scale = 1.0
    sprite = premultiplied(rgba)
    center = (float(rng.uniform(0.05, 0.95)) * width, float(rng.uniform(0.1, 0.95)) * height)
    matrix = placement(
        sprite_hw=(sprite.shape[0], sprite.shape[1]),
        center_xy=center,
        scale=scale,
        angle_deg=float(rng.normal(0, 8)),
    )
    smear_xy = (float(rng.normal(0, 4)), float(rng.normal(0, 4))) if rng.random() < 0.2 else (0.0, 0.0)
    return warp(sprite, matrix=matrix, frame_hw=(height, width), smear_xy=smear_xy)


def _fitting(rng: np.random.Generator, pool: Pool, *, frame_hw: tuple[int, int]) -> int:
    """Return a random photograph, most often one of the frame's orientation."""
    landscape = frame_hw[1] >= frame_hw[0]
    index = 0
    for _ in range(4):
        index = int(rng.choice(len(pool.photographs), p=pool.weights))
        height, width = pool.photographs[index].size_hw
        if height == width or (width > height) == landscape:
            break
    return index


def _crop(
    rng: np.random.Generator, *, size_hw: tuple[int, int], frame_hw: tuple[int, int]
) -> Float[np.ndarray, "2 3"]:
    """Return the map from a photograph to a frame that it covers, by 1 to 1.6 times, perhaps mirrored."""
    cover = max(frame_hw[0] / size_hw[0], frame_hw[1] / size_hw[1])
    zoom = 1.0 if rng.random() < 0.3 else float(rng.uniform(1.0, _MAX_ZOOM))
    scale = cover * zoom
    across = scale * size_hw[1] - frame_hw[1]
    down = scale * size_hw[0] - frame_hw[0]
    left, top = float(rng.uniform(0, 1)) * across, float(rng.uniform(0, 1)) * down
    matrix = np.array([[scale, 0.0, -left], [0.0, scale, -top]])
    if rng.random() < 0.5:
        matrix[0] = [-scale, 0.0, scale * size_hw[1] - 1 - left]
    return matrix


def _recoloured(rng: np.random.Generator, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Return the picture with another brightness, contrast, saturation and tint."""
    if rng.random() < 0.2:
        return image
    gain = float(rng.uniform(0.7, 1.3)) * rng.uniform(0.93, 1.07, 3)
    shift = float(rng.uniform(-20, 20))
    gamma = float(np.exp(rng.uniform(-0.25, 0.25)))
    levels = np.arange(256)[:, None] / 255.0
    table = np.clip(((levels**gamma) * gain) * 255 + shift, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    changed = cv2.LUT(image, table)
    saturation = float(rng.uniform(0.5, 1.4))
    gray = cv2.cvtColor(cv2.cvtColor(changed, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(changed, saturation, gray, 1 - saturation, 0), dtype=np.uint8)


def _balanced(names: Sequence[str]) -> Float[np.ndarray, " K"]:
    """Return weights that sum to one; a name that occurs n times gets a total weight of about sqrt(n)."""
    counts = Counter(names)
    weights = np.array([counts[name] ** -0.5 for name in names])
    return weights / max(weights.sum(), 1e-9)


def _area(code: dict[str, object]) -> int:
    return int(coco_mask.area(code))
