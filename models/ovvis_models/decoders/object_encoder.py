"""The object encoder of VITA and GenVIS: all frame queries of a window attend to each other.

Paper: VITA: Video Instance Segmentation via Object Token Association (Heo et al., NeurIPS 2022).
As in GenVIS, attention covers the whole window; there are no position embeddings.
"""

from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.blocks.transformer_layers import AttentionLayer, FeedForwardLayer


class ObjectEncoderLayer(nn.Module):
    """Self-attention, then the feed-forward layer; both post-norm."""

    def __init__(self, width: int, *, num_heads: int, ffn_dim: int) -> None:
        super().__init__()
        self.self_attention = AttentionLayer(width, num_heads=num_heads)
        self.feed_forward = FeedForwardLayer(width, hidden_dim=ffn_dim)

    def forward(self, tokens: Float[Tensor, "B S C"]) -> Float[Tensor, "B S C"]:
        """Return the tokens after one layer."""
        output: Tensor = self.feed_forward(
            self.self_attention(tokens, query=tokens, key=tokens, value=tokens)
        )
        return output


class ObjectEncoder(nn.Module):
    """Frame queries of a window -> the tokens that the window decoder attends to."""

    def __init__(self, width: int, *, num_heads: int, num_layers: int, ffn_dim: int) -> None:
        super().__init__()
        self.input_proj = nn.Linear(width, width)
        self.layers = nn.ModuleList(
            ObjectEncoderLayer(width, num_heads=num_heads, ffn_dim=ffn_dim) for _ in range(num_layers)
        )

    def forward(self, frame_queries: Float[Tensor, "B T Q C"]) -> Float[Tensor, "B T Q C"]:
        """Return the encoded queries of B windows of T frames."""
        tokens = self.input_proj(frame_queries).flatten(1, 2)  # (B, T Q, C)
        for layer in self.layers:
            tokens = layer(tokens)
        encoded: Tensor = tokens.unflatten(1, frame_queries.shape[1:3])
        return encoded
