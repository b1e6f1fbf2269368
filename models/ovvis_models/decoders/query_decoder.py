"""The masked-attention decoder of Mask2Former.

In each layer the queries attend to one level (32, 16, 8, 32, ...) inside the masks that the layer before
predicted, then to each other. There are heads before the first layer and after every one.

Same result as the original, computed differently: attention masks are not computed at stride 4 and shrunk,
but from pixel embeddings that are shrunk once (bilinear resampling commutes with the dot product). At
inference the heads before the last compute only attention masks.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ovvis_models.blocks.decoder_output import DecoderOutput, LayerOutput, PixelFeatures
from ovvis_models.blocks.mlp import MLP
from ovvis_models.blocks.transformer_layers import AttentionLayer, FeedForwardLayer
from ovvis_models.decoders.object_heads import MaskQualityHead, ObjectHead
from ovvis_models.decoders.queries import QuerySource

NUM_LEVELS = 3


class DecoderLayer(nn.Module):
    """Cross-attention (masked in Mask2Former), self-attention, feed-forward; all post-norm."""

    def __init__(self, width: int, *, num_heads: int, ffn_dim: int) -> None:
        super().__init__()
        self.cross_attention = AttentionLayer(width, num_heads=num_heads)
        self.self_attention = AttentionLayer(width, num_heads=num_heads)
        self.feed_forward = FeedForwardLayer(width, hidden_dim=ffn_dim)

    def forward(
        self,
        queries: Float[Tensor, "B Q C"],
        *,
        query_pos: Float[Tensor, "B Q C"],
        content: Float[Tensor, "B S C"],
        position: Float[Tensor, "S C"],
        allowed: Bool[Tensor, "B Q S"] | None = None,
    ) -> Float[Tensor, "B Q C"]:
        """Return the queries after one layer; `content` already includes the level embedding.

        `allowed` is True where a query may attend; None: everywhere.
        """
        queries = self.cross_attention(
            queries, query=queries + query_pos, key=content + position, value=content, allowed=allowed
        )
        placed = queries + query_pos
        queries = self.self_attention(queries, query=placed, key=placed, value=queries)
        output: Tensor = self.feed_forward(queries)
        return output


class QueryDecoder(nn.Module):
    """`PixelFeatures` -> queries with masks and object logits."""

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        num_layers: int,
        ffn_dim: int,
        queries: QuerySource,
        object_head: ObjectHead,
        quality_head: MaskQualityHead | None = None,
    ) -> None:
        super().__init__()
        self.queries = queries
        self.object_head = object_head
        self.quality_head = quality_head
        self.level_embed = nn.Embedding(NUM_LEVELS, width)
        self.layers = nn.ModuleList(
            DecoderLayer(width, num_heads=num_heads, ffn_dim=ffn_dim) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.mask_embed = MLP(width, hidden_dim=width, out_dim=width, num_layers=3)

    def last(self, features: PixelFeatures) -> LayerOutput:
        """Return only the heads after the last layer; earlier layers compute attention masks only."""
        output: DecoderOutput = self(features, every_head=False)
        return output.layers[-1]

    def forward(self, features: PixelFeatures, *, every_head: bool = True) -> DecoderOutput:
        """Return the heads before the first layer and after every one, or only after the last."""
        initial = self.queries(features)
        queries = initial.query_feat
        contents = [
            x.flatten(2).transpose(1, 2) + embed
            for x, embed in zip(features.levels, self.level_embed.weight, strict=True)
        ]
        shrunk = [shrink_to(features.pixel_embeds.detach(), level) for level in features.levels]
        outputs = []
        for index, layer in enumerate(self.layers):
            level = index % NUM_LEVELS
            query_embeds = self.norm(queries)
            mask_embeds = self.mask_embed(query_embeds)
            if every_head:
                outputs.append(self._heads(query_embeds, mask_embeds, features))
            queries = layer(
                queries,
                query_pos=initial.query_pos,
                content=contents[level],
                position=features.positions[level],
                allowed=allowed_places(mask_embeds.detach(), shrunk[level]),
            )
        query_embeds = self.norm(queries)
        outputs.append(self._heads(query_embeds, self.mask_embed(query_embeds), features))
        return DecoderOutput(layers=tuple(outputs), origin=initial.origin)

    def _heads(self, query_embeds: Tensor, mask_embeds: Tensor, features: PixelFeatures) -> LayerOutput:
        masks = torch.bmm(mask_embeds, flattened(features.pixel_embeds))
        return LayerOutput(
            query_embeds=query_embeds,
            mask_logits=torch.unflatten(masks, -1, features.pixel_embeds.shape[-2:]),
            object_logits=self.object_head(query_embeds),
            quality_logits=None if self.quality_head is None else self.quality_head(query_embeds),
        )


def allowed_places(
    mask_embeds: Float[Tensor, "B Q C"], pixel_embeds: Float[Tensor, "B C S"]
) -> Bool[Tensor, "B Q S"]:
    """Return where each query may attend: inside its own mask, or everywhere if that is empty."""
    inside = inside_masks(mask_embeds, pixel_embeds)
    return inside | ~inside.any(dim=-1, keepdim=True)


def inside_masks(
    mask_embeds: Float[Tensor, "B Q C"], pixel_embeds: Float[Tensor, "B C S"]
) -> Bool[Tensor, "B Q S"]:
    """Return which places each query's mask covers."""
    return torch.bmm(mask_embeds, pixel_embeds) >= 0


def shrink_to(
    pixel_embeds: Float[Tensor, "B C h w"], level: Float[Tensor, "B _c _h _w"]
) -> Float[Tensor, "B C S"]:
    """Return pixel embeddings at the size of `level`, flattened to (B, C, S)."""
    size = level.shape[-2:]
    return flattened(F.interpolate(pixel_embeds, size=size, mode="bilinear", align_corners=False))


def flattened(maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C S"]:
    """Return the maps with height and width flattened; channels last, without a copy.

    Unlike with `maps.flatten(2)`, the strides let a CPU multiply the maps of a single image in bfloat16
    without a copy, too.
    """
    rows = maps.permute(0, 2, 3, 1).flatten(0, 2)  # (B * S, C)
    return torch.unflatten(rows, 0, (len(maps), -1)).transpose(1, 2)
