"""LoRA: low-rank adaptation of the query and value projections of an attention layer."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LowRank(nn.Module):
    """Low-rank update scale * up(down(x)) of a frozen linear projection; exactly zero at initialisation."""

    def __init__(self, width: int, *, rank: int, alpha: float) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"LoRA rank must be at least 1, got {rank}")
        self.down = nn.Parameter(torch.empty(rank, width))
        self.up = nn.Parameter(torch.zeros(width, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """Return the change of the projection's output for its input `x`."""
        return (x @ self.down.T) @ self.up.T * self.scale

    def weight(self) -> Float[Tensor, "C C"]:
        """Return the update as a full matrix (out, in), to be added to the weight of the projection."""
        return self.up @ self.down * self.scale


class QueryValueLoRA(nn.Module):
    """Low-rank updates of the query and value projections, the only trained weights inside CLIP's blocks."""

    def __init__(self, width: int, *, rank: int, alpha: float) -> None:
        super().__init__()
        self.query = LowRank(width, rank=rank, alpha=alpha)
        self.value = LowRank(width, rank=rank, alpha=alpha)
