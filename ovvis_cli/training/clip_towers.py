"""How stage 0 reads the vision tower of a CLIP: whole pictures, and a part of each alone.

Of a transformer the part is the mean of all patches; of a ResNet it is what its pool reads in a window,
as CLIP-VIS later reads it in masks.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from open_clip.model import CLIP
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from torch import Tensor

from ovvis_models.heads.mask_pooling import MaskedAttentionPool

CENTRE_FLOOR = 0.05  # added to a feature's spread
MIN_EXTENT = 0.25  # of a window, as a part of the side


class TrainingTower(Protocol):
    """A vision tower in training."""

    def centre(self, images: Float[Tensor, "B 3 S S"]) -> None:
        """Shifts and scales the last layer of a fresh tower, in place, so that pictures differ at once."""
        ...

    def encode(
        self, images: Float[Tensor, "B 3 S S"], *, window_probability: float
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """Unit-norm embeddings of the images and of a part of each.

        With `window_probability`, positions come from a random window of their grid.
        """
        ...


def training_tower(clip: CLIP) -> TrainingTower:
    """The reader of a CLIP's vision tower.

    Raises:
        ValueError: no stage trains such a tower.
    """
    visual = clip.visual
    if isinstance(visual, VisionTransformer):
        return TransformerTower(visual)
    if isinstance(visual, ModifiedResNet):
        return ResNetTower(visual)
    raise ValueError(f"no training for a tower of type {type(visual).__name__}")


class TransformerTower:
    """A vision transformer."""

    def __init__(self, visual: VisionTransformer) -> None:
        self.visual = visual
        visual.output_tokens = True  # patches beside the image embedding

    def centre(self, images: Float[Tensor, "B 3 S S"]) -> None:
        """Changes the last norm; otherwise what all embeddings share hides what tells them apart (mean cosine
        of 0.97, measured).
        """
        features: list[Tensor] = []
        hook = self.visual.ln_post.register_forward_hook(lambda _, __, output: features.append(output[:, 0]))
        with torch.no_grad():
            self.visual.train()(images)
            hook.remove()
            spread = features[0].std(dim=0) + CENTRE_FLOOR
            self.visual.ln_post.weight.div_(spread)
            self.visual.ln_post.bias.copy_(-features[0].mean(dim=0) / spread)

    def encode(
        self, images: Float[Tensor, "B 3 S S"], *, window_probability: float
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """The part is the mean of all patches through the same projection."""
        table = self.visual.positional_embedding
        if torch.rand(()) < window_probability:
            table = windowed_positions(table)
        image_embeds, patches = torch.func.functional_call(
            self.visual, {"positional_embedding": table}, (images,)
        )
        part_embeds = patches.mean(dim=1) @ self.visual.proj
        return F.normalize(image_embeds, dim=-1), F.normalize(part_embeds, dim=-1)


class ResNetTower:
    """CLIP's own ResNet with its attention pool."""

    def __init__(self, visual: ModifiedResNet) -> None:
        self.visual = visual
        self.pool = MaskedAttentionPool(visual.attnpool)

    def centre(self, images: Float[Tensor, "B 3 S S"]) -> None:
        """Changes the pool's last layer."""
        with torch.no_grad():
            embeds = self.visual.train()(images)
            spread = embeds.std(dim=0) + CENTRE_FLOOR
            last = self.visual.attnpool.c_proj
            last.weight.div_(spread[:, None])
            last.bias.sub_(embeds.mean(dim=0)).div_(spread)

    def encode(
        self, images: Float[Tensor, "B 3 S S"], *, window_probability: float
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """The part is a random window around the middle of each picture."""
        visual = self.visual
        maps: Tensor = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(images)))))
        table = visual.attnpool.positional_embedding
        if torch.rand(()) < window_probability:
            table = windowed_positions(table)
        image_embeds: Tensor = torch.func.functional_call(
            visual.attnpool, {"positional_embedding": table}, (maps,)
        )
        windows = middle_windows(maps.shape[0], side=maps.shape[-1]).to(maps.device)
        part_embeds: Tensor = torch.func.functional_call(
            self.pool, {"pool.positional_embedding": table}, (maps, windows[:, None])
        )
        return F.normalize(image_embeds, dim=-1), F.normalize(part_embeds[:, 0], dim=-1)


def middle_windows(count: int, *, side: int) -> Bool[Tensor, "count side side"]:
    """Random windows of a square map, each with a place in the middle of its rows and of its columns."""
    first = (torch.rand(count, 2) * (side + 1) / 2).long()  # of the first half, the middle included
    last = side - 1 - (torch.rand(count, 2) * (side + 1) / 2).long()
    axis = torch.arange(side)
    inside = (axis >= torch.minimum(first, last)[..., None]) & (axis <= torch.maximum(first, last)[..., None])
    return inside[:, 0, :, None] & inside[:, 1, None, :]


def windowed_positions(table: Float[Tensor, "n C"]) -> Float[Tensor, "n C"]:
    """The position table read through a random window of its grid; the class token's row stays."""
    side = round((len(table) - 1) ** 0.5)
    grid = table[1:].T.reshape(1, -1, side, side)
    extent = MIN_EXTENT + (1 - MIN_EXTENT) * torch.rand(2, device=table.device)
    centre = (2 * torch.rand(2, device=table.device) - 1) * (1 - extent)
    transform = torch.cat([torch.diag(extent), centre[:, None]], dim=1)[None]
    places = F.affine_grid(transform, [1, 1, side, side], align_corners=False)
    window = F.grid_sample(grid, places, align_corners=False, padding_mode="border")
    return torch.cat([table[:1], window.flatten(2)[0].T])
