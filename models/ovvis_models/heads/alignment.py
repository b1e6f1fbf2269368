"""Queries in CLIP's space (OVFormer, unified embedding alignment).

    query -> MLP -> attention to CLIP's features of the frames -> aligned token;  token . text -> classes

The token does not depend on any class name, so a record can be asked again with other words.
"""

from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.blocks.mlp import MLP
from ovvis_models.blocks.transformer_layers import AttentionLayer

PROJECTION_LAYERS = 2
NUM_HEADS = 8


class EmbeddingAlignment(nn.Module):
    """Maps queries into CLIP's space, then lets them attend to CLIP's features of the frames they cover."""

    def __init__(self, width: int, *, embed_dim: int) -> None:
        super().__init__()
        self.projection = query_projection(width, embed_dim=embed_dim)
        self.attention = AttentionLayer(embed_dim, num_heads=NUM_HEADS)

    def forward(
        self, query_embeds: Float[Tensor, "B Q C"], frame_features: Float[Tensor, "B T D"]
    ) -> Float[Tensor, "B Q D"]:
        """Return a token for each query, of no particular length; T is the number of frames it covers."""
        projected = self.projection(query_embeds)
        tokens: Tensor = self.attention(projected, query=projected, key=frame_features, value=frame_features)
        return tokens


def query_projection(width: int, *, embed_dim: int) -> MLP:
    """Return the untrained map from queries to CLIP's space, which OV2Seg names by alone."""
    return MLP(width, hidden_dim=width, out_dim=embed_dim, num_layers=PROJECTION_LAYERS)
