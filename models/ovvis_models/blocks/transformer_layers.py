"""Post-norm transformer layers: attention with a residual and a norm, and the feed-forward layer."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

CPU_ROWS = 4096
"""Rows of a feed-forward layer at a time on a CPU: hidden maps of over 32 MiB are not kept by the C library
but asked of the system anew each time, page by page, which costs a fifth of the layer with 4 frames."""


class AttentionLayer(nn.Module):
    """Multi-head attention, then residual and LayerNorm; self-attention when keys come from the queries."""

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
        """Return norm(x + attention); `query` is x with what the caller adds to it (its position).

        `allowed` is True where a query may look; every query must be allowed somewhere.
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
