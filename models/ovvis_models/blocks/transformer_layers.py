"""Post-norm transformer layers: attention and feed-forward, each with residual and LayerNorm."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

CPU_ROWS = 4096
"""Rows per chunk of a feed-forward layer on a CPU. The C library returns buffers of over 32 MiB to the system
and requests them again page by page each time, which costs a fifth of the layer with 4 frames."""


class AttentionLayer(nn.Module):
    """Multi-head attention, then residual and LayerNorm; self-attention if keys come from the queries."""

    def __init__(self, width: int, *, num_heads: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width {width} cannot be split into {num_heads} heads")
        self.num_heads = num_heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        for projection in (self.q_proj, self.k_proj, self.v_proj, self.out_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(
        self,
        x: Float[Tensor, "B Q C"],
        *,
        query: Float[Tensor, "B Q C"],
        key: Float[Tensor, "B S C"],
        value: Float[Tensor, "B S C"],
        allowed: Bool[Tensor, "B Q S"] | None = None,
    ) -> Float[Tensor, "B Q C"]:
        """Return norm(x + attention); `query` is x plus what the caller adds, such as its position.

        `allowed` is True where a query may attend; every query needs at least one such place.
        """
        attended = F.scaled_dot_product_attention(
            self._split(self.q_proj(query)),
            self._split(self.k_proj(key)),
            self._split(self.v_proj(value)),
            attn_mask=None if allowed is None else allowed[:, None],
        )
        output: Tensor = self.norm(x + self.out_proj(attended.transpose(1, 2).flatten(2)))
        return output

    def _split(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, -1, (self.num_heads, -1)).transpose(1, 2)  # B heads S width/heads


class FeedForwardLayer(nn.Module):
    """Two linear layers with ReLU between, then residual and LayerNorm."""

    def __init__(self, width: int, *, hidden_dim: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, width)
        self.norm = nn.LayerNorm(width)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Float[Tensor, "B S C"]) -> Float[Tensor, "B S C"]:
        """Return norm(x + feed_forward(x))."""
        if x.device.type != "cpu":
            return self._of_rows(x)
        rows = torch.split(x.flatten(0, -2), CPU_ROWS)
        return torch.cat([self._of_rows(some) for some in rows]).view_as(x)

    def _of_rows(self, x: Float[Tensor, "*rows C"]) -> Float[Tensor, "*rows C"]:
        output: Tensor = self.norm(x + self.linear2(self.linear1(x).relu_()))
        return output
