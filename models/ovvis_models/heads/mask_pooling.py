"""Mask pooling: instance tokens from the last feature map of a convolutional CLIP (CLIP-VIS, Sec. 3.3).

The map is pooled inside each mask in the same way in which CLIP pools a whole image: with attention for a
ResNet, with a mean for a ConvNeXt. Masks are resized to the size of the map (stride 32).
"""

from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from open_clip.modified_resnet import AttentionPool2d

AREA_EPS = 1e-8  # from the published code; gives an empty mask a mean of zero


class MaskPooling(Protocol):
    """Pools a feature map inside masks."""

    @property
    def embed_dim(self) -> int:
        """Width D of the embeddings."""
        ...

    def __call__(
        self, dense: Float[Tensor, "B C h w"], inside: Bool[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return CLIP's embedding of each mask, not normalised."""
        ...


class MaskedAttentionPool(nn.Module):
    """CLIP's attention pooling, restricted to a mask.

    The query is the mean of the whole map; keys and values are the positions inside the mask. Unlike in CLIP,
    the mean is not among the keys and values. The embedding of an empty mask is zero, so that it has the same
    similarity to all class names.
    """

    def __init__(self, pool: "AttentionPool2d") -> None:
        super().__init__()
        self.pool = pool

    @property
    def embed_dim(self) -> int:
        """Width D of the embeddings."""
        return int(self.pool.c_proj.out_features)

    def forward(
        self, dense: Float[Tensor, "B C h w"], inside: Bool[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return CLIP's embedding of each mask, not normalised; zeros for an empty mask."""
        tokens = dense.flatten(2).transpose(1, 2)  # (B, P, C)
        mean_position, positions = self._positions((dense.shape[2], dense.shape[3]))
        mean = self.pool.q_proj(tokens.mean(dim=1) + mean_position)  # (B, C)
        tokens = tokens + positions
        query, key, value = (
            self._heads(x) for x in (mean[:, None], self.pool.k_proj(tokens), self.pool.v_proj(tokens))
        )
        allowed = inside.flatten(2)
        empty = ~allowed.any(dim=-1, keepdim=True)
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)  # (B, heads, 1, P)
        logits = logits.expand(-1, -1, allowed.shape[1], -1)
        weights = logits.masked_fill(~(allowed | empty)[:, None], -torch.inf).softmax(dim=-1)
        pooled = (weights @ value).transpose(1, 2).flatten(2)  # (B, Q, C)
        embeds: Tensor = self.pool.c_proj(pooled)
        return embeds.masked_fill(empty, 0.0)

    def _heads(self, x: Tensor) -> Tensor:
        """Split (B, S, C) into heads: (B, heads, S, C / heads)."""
        return torch.unflatten(x, -1, (self.pool.num_heads, -1)).transpose(1, 2)

    def _positions(self, hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the position embedding of the mean (C), and those of the map resized to `hw` (P, C)."""
        first, grid = self.pool.positional_embedding.split([1, len(self.pool.positional_embedding) - 1])
        side = round(len(grid) ** 0.5)
        square = torch.unflatten(grid.T, 1, (side, side))[None]
        resized = F.interpolate(square, size=hw, mode="bilinear", align_corners=False)
        return first[0], resized[0].flatten(1).T


class MaskedMeanPool(nn.Module):
    """Mean of the map inside a mask, followed by CLIP's last norm and projection.

    An empty mask has a mean of zero, so all empty masks have the same embedding.
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
        """Return CLIP's embedding of each mask, not normalised."""
        weight = inside.to(dense.dtype)
        total = torch.einsum("bqhw,bchw->bqc", weight, dense)
        mean = total / (weight.sum(dim=(-1, -2))[..., None] + AREA_EPS)
        embeds: Tensor = self.proj(self.norm(mean[..., None, None].flatten(0, 1)).flatten(1))
        return torch.unflatten(embeds, 0, inside.shape[:2])


def mask_pooling(visual: nn.Module) -> MaskedAttentionPool | MaskedMeanPool:
    """Return mask pooling for a CLIP vision tower; it shares the tower's modules and freezes them.

    Raises:
        ValueError: the tower is not convolutional.
    """
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel

    if isinstance(visual, ModifiedResNet):
        pool = visual.attnpool.requires_grad_(requires_grad=False)
        return MaskedAttentionPool(pool)
    if isinstance(visual, TimmModel) and hasattr(visual.trunk, "stages"):
        visual.requires_grad_(requires_grad=False)
        return MaskedMeanPool(norm=visual.trunk.head.norm, proj=visual.head.proj)
    raise ValueError(f"mask pooling needs a convolutional CLIP tower, got {type(visual).__name__}")


def inside_at(mask_logits: Float[Tensor, "B Q h w"], *, hw: tuple[int, int]) -> Bool[Tensor, "B Q h32 w32"]:
    """Return which positions of a map of size `hw`, which covers the same area, are inside each mask."""
    resized = F.interpolate(mask_logits, size=hw, mode="bilinear", align_corners=False)
    return resized > 0
