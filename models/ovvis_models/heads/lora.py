"""Low-rank adaptation of the query and value projections of one attention layer."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LowRank(nn.Module):
    """Adds scale * up(down(x)) to a frozen linear projection; starts as exactly nothing."""

    def __init__(self, width: int, *, rank: int, alpha: float) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"LoRA rank must be at least 1, got {rank}")
        self.down = nn.Parameter(torch.empty(rank, width))
        self.up = nn.Parameter(torch.zeros(width, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """The change of the projection's output for its input `x`."""
        return (x @ self.down.T) @ self.up.T * self.scale

    def weight(self) -> Float[Tensor, "C C"]:
        """The same change as a full matrix, to be added to the projection's weight (out, in)."""
        return self.up @ self.down * self.scale


class QueryValueLoRA(nn.Module):
    """The only trained weights inside CLIP's blocks: low-rank changes to the query and value projections."""

    def __init__(self, width: int, *, rank: int, alpha: float) -> None:
        super().__init__()
        self.query = LowRank(width, rank=rank, alpha=alpha)
        self.value = LowRank(width, rank=rank, alpha=alpha)
