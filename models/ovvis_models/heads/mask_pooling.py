"""Instance tokens by pooling the last map of a convolutional CLIP inside each mask (CLIP-VIS, Sec. 3.3).

Both ways follow how the tower pools a whole image: a ResNet by attention, here allowed inside the mask only;
a ConvNeXt by a mean, here of the places inside the mask. Masks are taken at the map's size (stride 32).
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
from open_clip.timm_model import TimmModel
from torch import Tensor, nn

AREA_EPS = 1e-8  # of the published code: an empty mask has a mean of zero


class MaskPooling(Protocol):
    """Pools a map inside masks."""

    @property
    def embed_dim(self) -> int:
        """Width D of the embeddings."""
        ...

    def __call__(
        self, dense: Float[Tensor, "B C h w"], inside: Bool[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return CLIP's embedding of each mask, of no particular length; zeros where there is none."""
        ...


class MaskedAttentionPool(nn.Module):
    """CLIP's attention pool with a mask: what asks is the mean of the whole map, what is read lies inside.

    Unlike in CLIP, the mean itself is not read. A mask without any place has no embedding: zeros, so that all
    names are equally like it.
    """

    def __init__(self, pool: AttentionPool2d) -> None:
        super().__init__()
        self.pool = pool

    @property
    def embed_dim(self) -> int:
        """Width D of the embeddings."""
        return int(self.pool.c_proj.out_features)

    def forward(
        self, dense: Float[Tensor, "B C h w"], inside: Bool[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return CLIP's embedding of each mask, zeros for an empty one."""
        tokens = dense.flatten(2).transpose(1, 2)  # (B, P, C)
        first, places = self._positions((dense.shape[2], dense.shape[3]))
        asking = self.pool.q_proj(tokens.mean(dim=1) + first)  # (B, C)
        placed = tokens + places
        query, key, value = (
            self._heads(x) for x in (asking[:, None], self.pool.k_proj(placed), self.pool.v_proj(placed))
        )
        allowed = inside.flatten(2)
        empty = ~allowed.any(dim=-1, keepdim=True)
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)  # (B, heads, 1, P)
        logits = logits.expand(-1, -1, allowed.shape[1], -1)
        weights = logits.masked_fill(~(allowed | empty)[:, None], -torch.inf).softmax(dim=-1)
        read = (weights @ value).transpose(1, 2).flatten(2)  # (B, Q, C)
        embeds: Tensor = self.pool.c_proj(read)
        return embeds.masked_fill(empty, 0.0)

    def _heads(self, x: Tensor) -> Tensor:
        """Return (B, S, C) as (B, heads, S, C / heads)."""
        return torch.unflatten(x, -1, (self.pool.num_heads, -1)).transpose(1, 2)

    def _positions(self, hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the position of the mean (C), and those of the map's places (P, C)."""
        first, grid = self.pool.positional_embedding.split([1, len(self.pool.positional_embedding) - 1])
        side = round(len(grid) ** 0.5)
        square = torch.unflatten(grid.T, 1, (side, side))[None]
        resized = F.interpolate(square, size=hw, mode="bilinear", align_corners=False)
        return first[0], resized[0].flatten(1).T


class MaskedMeanPool(nn.Module):
    """The mean of the places inside a mask, then the tower's last norm and its projection.

    A mask without any place has a mean of zero, whose embedding is the same for all of them.
    """

    def __init__(self, *, norm: nn.Module, proj: nn.Linear) -> None:
        super().__init__()
        self.norm = norm
        self.proj = proj

    @property
    def embed_dim(self) -> int:
        """Width D of the embeddings."""
        return self.proj.out_features

    def forward(
        self, dense: Float[Tensor, "B C h w"], inside: Bool[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return CLIP's embedding of each mask."""
        weight = inside.to(dense.dtype)
        total = torch.einsum("bqhw,bchw->bqc", weight, dense)
        mean = total / (weight.sum(dim=(-1, -2))[..., None] + AREA_EPS)
        embeds: Tensor = self.proj(self.norm(mean[..., None, None].flatten(0, 1)).flatten(1))
        return torch.unflatten(embeds, 0, inside.shape[:2])


def mask_pooling(visual: nn.Module) -> MaskedAttentionPool | MaskedMeanPool:
    """The pooling that shares its modules with the vision tower of a CLIP, frozen.

    Raises:
        ValueError: the tower is not convolutional.
    """
    if isinstance(visual, ModifiedResNet):
        pool = visual.attnpool.requires_grad_(requires_grad=False)
        return MaskedAttentionPool(pool)
    if isinstance(visual, TimmModel) and hasattr(visual.trunk, "stages"):
        visual.requires_grad_(requires_grad=False)
        return MaskedMeanPool(norm=visual.trunk.head.norm, proj=visual.head.proj)
    raise ValueError(f"only convolutional CLIP towers are pooled in masks, got {type(visual).__name__}")


def inside_at(mask_logits: Float[Tensor, "B Q h w"], *, hw: tuple[int, int]) -> Bool[Tensor, "B Q h32 w32"]:
    """Return which places of a map of size `hw`, which covers the same area, lie inside each mask."""
    resized = F.interpolate(mask_logits, size=hw, mode="bilinear", align_corners=False)
    return resized > 0
