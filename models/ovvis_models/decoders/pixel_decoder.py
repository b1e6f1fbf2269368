"""The pixel decoder: deformable encoder over strides 32, 16, 8, and one FPN step to stride 4.

Paper: Mask2Former (Cheng et al., CVPR 2022), with the encoder of Deformable DETR (Zhu et al., ICLR 2021).
Padded pixels are not masked, as in the published networks.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.blocks.decoder_output import PixelFeatures, PixelMaps
from ovvis_models.blocks.deformable_attention import DeformableAttention, LevelShapes
from ovvis_models.blocks.position import sine_position
from ovvis_models.blocks.transformer_layers import FeedForwardLayer

NUM_GROUPS = 32
NUM_LEVELS = 3


class EncoderLayer(nn.Module):
    """Deformable self-attention of all tokens, then the feed-forward layer; both post-norm."""

    def __init__(self, width: int, *, num_heads: int, num_points: int, ffn_dim: int) -> None:
        super().__init__()
        self.attention = DeformableAttention(
            width, num_heads=num_heads, num_levels=NUM_LEVELS, num_points=num_points
        )
        self.norm = nn.LayerNorm(width)
        self.feed_forward = FeedForwardLayer(width, hidden_dim=ffn_dim)

    def forward(
        self,
        tokens: Float[Tensor, "B S C"],
        *,
        position: Float[Tensor, "S C"],
        reference_points: Float[Tensor, "S 2"],
        shapes: LevelShapes,
    ) -> Float[Tensor, "B S C"]:
        """Return the tokens after one layer; the position is added to the query, not to the value."""
        read = self.attention(
            tokens + position, value=tokens, reference_points=reference_points, shapes=shapes
        )
        output: Tensor = self.feed_forward(self.norm(tokens + read))
        return output


class PixelDecoder(nn.Module):
    """Backbone maps of strides 4, 8, 16, 32 -> `PixelFeatures`."""

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        width: int,
        num_layers: int,
        num_heads: int,
        num_points: int,
        ffn_dim: int,
    ) -> None:
        super().__init__()
        finest, *others = in_channels
        self.input_proj = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 1), nn.GroupNorm(NUM_GROUPS, width))
            for channels in reversed(others)
        )
        self.level_embed = nn.Parameter(torch.randn(NUM_LEVELS, width))
        self.layers = nn.ModuleList(
            EncoderLayer(width, num_heads=num_heads, num_points=num_points, ffn_dim=ffn_dim)
            for _ in range(num_layers)
        )
        self.lateral = nn.Sequential(nn.Conv2d(finest, width, 1, bias=False), nn.GroupNorm(NUM_GROUPS, width))
        self.smooth = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.GroupNorm(NUM_GROUPS, width),
            nn.ReLU(inplace=True),
        )
        self.pixel_proj = nn.Conv2d(width, width, 1)

    def forward(self, features: Sequence[Float[Tensor, "B _c _h _w"]]) -> PixelFeatures:
        """Return encoded maps, coarse to fine, and pixel embeddings.

        Args:
            features: backbone maps of strides 4, 8, 16, 32.
        """
        return self.embed(self.maps(features))

    def embed(self, maps: PixelMaps) -> PixelFeatures:
        """Return the maps with pixel embeddings from the finest one."""
        return PixelFeatures(
            levels=maps.levels, positions=maps.positions, pixel_embeds=self.pixel_proj(maps.finest)
        )

    def maps(self, features: Sequence[Float[Tensor, "B _c _h _w"]]) -> PixelMaps:
        """Return encoded maps, coarse to fine, and the stride-4 map before its projection."""
        finest, *others = features
        maps = [proj(x) for proj, x in zip(self.input_proj, reversed(others), strict=True)]
        shapes = LevelShapes(tuple((x.shape[2], x.shape[3]) for x in maps))
        tokens = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)
        positions = tuple(
            sine_position(hw, width=tokens.shape[-1], dtype=tokens.dtype, device=tokens.device).flatten(0, 1)
            for hw in shapes.sizes
        )
        position = torch.cat([code + embed for code, embed in zip(positions, self.level_embed, strict=True)])
        reference_points = pixel_centers(shapes, like=tokens)
        for layer in self.layers:
            tokens = layer(tokens, position=position, reference_points=reference_points, shapes=shapes)
        levels = tuple(x.permute(0, 3, 1, 2) for x in shapes.split(tokens))
        return PixelMaps(levels=levels, positions=positions, finest=self._finest(finest, levels[-1]))

    def _finest(self, finest: Tensor, coarser: Tensor) -> Tensor:
        lateral = self.lateral(finest)
        raised = F.interpolate(coarser, size=lateral.shape[-2:], mode="bilinear", align_corners=False)
        smooth: Tensor = self.smooth(lateral + raised)
        return smooth


def pixel_centers(shapes: LevelShapes, *, like: Tensor) -> Float[Tensor, "S 2"]:
    """Return (x, y) in [0, 1] of every token's pixel center, in the order of the tokens."""
    grids = []
    for height, width in shapes.sizes:
        ys = (torch.arange(height, dtype=like.dtype, device=like.device) + 0.5) / height
        xs = (torch.arange(width, dtype=like.dtype, device=like.device) + 0.5) / width
        grids.append(torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1).flatten(0, 1))
    return torch.cat(grids)
