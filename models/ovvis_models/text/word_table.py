"""A table of words in the place of a text encoder: what each means is a set of rows."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class WordTable(nn.Module):
    """R rows, each what one class of things looks like to the network; which words mean which rows is text.

    A row compares with unit instance tokens by its cosine. Rows of a linear classifier become equally long by
    one more component, which is zero in every token (`equally_long`).
    """

    def __init__(self, *, num_rows: int, embed_dim: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(num_rows, embed_dim), requires_grad=False)
        self.logit_scale = nn.Parameter(torch.zeros(()), requires_grad=False)  # logarithm

    @property
    def embed_dim(self) -> int:
        """Width D of the rows."""
        return self.rows.shape[1]

    @torch.no_grad()
    def fill(self, weights: Float[Tensor, "R D"], *, token_norm: float) -> None:
        """Take the rows of a linear classifier whose last component is free.

        Args:
            weights: of tokens before they are scaled to unit norm; the last column is ignored.
            token_norm: the norm that such a token usually has.
        """
        rows, norm = equally_long(weights)
        self.rows.copy_(rows)
        self.logit_scale.fill_(math.log(norm * token_norm))


def equally_long(weights: Float[Tensor, "R D"]) -> tuple[Float[Tensor, "R D"], float]:
    """Return unit rows with the same products with tokens up to a factor, and that factor."""
    longest = float(weights[:, :-1].norm(dim=1).max())
    rest = (longest**2 - weights[:, :-1].square().sum(dim=1)).clamp(min=0).sqrt()
    rows = torch.cat([weights[:, :-1], rest[:, None]], dim=1)
    return F.normalize(rows, dim=1), longest
