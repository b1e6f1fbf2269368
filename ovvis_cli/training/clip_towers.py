"""Vision towers of CLIP in stage 0: embeddings of whole images and of a part of each image.

For a transformer the part is the mean of all patches. For a ResNet it is attention-pooled over a window, as
CLIP-VIS later pools over masks.
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
MIN_EXTENT = 0.25  # minimum side of a window, as a fraction of the grid's side


class TrainingTower(Protocol):
    """A vision tower in training."""

    def centre(self, images: Float[Tensor, "B 3 S S"]) -> None:
        """Standardise the output of a fresh tower, in place, so that embeddings differ between images."""
        ...

    def encode(
        self, images: Float[Tensor, "B 3 S S"], *, window_probability: float
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """Return unit-norm embeddings of the images and of a part of each.

        With probability `window_probability`, position embeddings come from a random window of their grid.
        """
        ...


def training_tower(clip: CLIP) -> TrainingTower:
    """Wrap the vision tower of a CLIP for training.

    Raises:
        ValueError: towers of this type cannot be trained.
    """
    visual = clip.visual
    if isinstance(visual, VisionTransformer):
        return TransformerTower(visual)
    if isinstance(visual, ModifiedResNet):
        return ResNetTower(visual)
    raise ValueError(f"no training for a tower of type {type(visual).__name__}")


class TransformerTower:
    """Vision transformer in training."""

    def __init__(self, visual: VisionTransformer) -> None:
        self.visual = visual
        visual.output_tokens = True  # patches beside the image embedding

    def centre(self, images: Float[Tensor, "B 3 S S"]) -> None:
        """Change the last norm; without this all embeddings are nearly equal (measured mean cosine 0.97)."""
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
        """Return both embeddings; the part is the mean of all patches through the same projection."""
        table = self.visual.positional_embedding
        if torch.rand(()) < window_probability:
            table = windowed_positions(table)
        image_embeds, patches = torch.func.functional_call(
            self.visual, {"positional_embedding": table}, (images,)
        )
        part_embeds = patches.mean(dim=1) @ self.visual.proj
        return F.normalize(image_embeds, dim=-1), F.normalize(part_embeds, dim=-1)


class ResNetTower:
    """CLIP's ResNet with its attention pool, in training."""

    def __init__(self, visual: ModifiedResNet) -> None:
        self.visual = visual
        self.pool = MaskedAttentionPool(visual.attnpool)

    def centre(self, images: Float[Tensor, "B 3 S S"]) -> None:
        """Change the last layer of the pool."""
        with torch.no_grad():
            embeds = self.visual.train()(images)
            spread = embeds.std(dim=0) + CENTRE_FLOOR
            last = self.visual.attnpool.c_proj
            last.weight.div_(spread[:, None])
            last.bias.sub_(embeds.mean(dim=0)).div_(spread)

    def encode(
        self, images: Float[Tensor, "B 3 S S"], *, window_probability: float
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """Return both embeddings; the part is a random window around the middle of each image."""
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
    """Return random windows of a square map that all contain its middle."""
    first = (torch.rand(count, 2) * (side + 1) / 2).long()  # in the first half, including the middle
    last = side - 1 - (torch.rand(count, 2) * (side + 1) / 2).long()
    axis = torch.arange(side)
    inside = (axis >= torch.minimum(first, last)[..., None]) & (axis <= torch.maximum(first, last)[..., None])
    return inside[:, 0, :, None] & inside[:, 1, None, :]


def windowed_positions(table: Float[Tensor, "n C"]) -> Float[Tensor, "n C"]:
    """Resample the position table from a random window of its grid; the class token's row is unchanged."""
    side = round((len(table) - 1) ** 0.5)
    grid = table[1:].T.reshape(1, -1, side, side)
    extent = MIN_EXTENT + (1 - MIN_EXTENT) * torch.rand(2, device=table.device)
    centre = (2 * torch.rand(2, device=table.device) - 1) * (1 - extent)
    transform = torch.cat([torch.diag(extent), centre[:, None]], dim=1)[None]
    places = F.affine_grid(transform, [1, 1, side, side], align_corners=False)
    window = F.grid_sample(grid, places, align_corners=False, padding_mode="border")
    return torch.cat([table[:1], window.flatten(2)[0].T])
