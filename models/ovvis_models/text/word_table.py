"""Word table: class embeddings for a fixed list of words, used instead of a text encoder."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class WordTable(nn.Module):
    """R rows, each the embedding of one class of a linear classifier; a text file maps words to rows.

    Rows are compared with instance tokens by cosine similarity. The weights of a linear classifier differ in
    norm; one extra component, which is zero in every token, makes their norms equal (`equally_long`).
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
        """Set the rows from the weights of a linear classifier.

        Args:
            weights: classifier weights for tokens that are not normalised; the last column is ignored.
            token_norm: typical norm of such a token.
        """
        rows, norm = equally_long(weights)
        self.rows.copy_(rows)
        self.logit_scale.fill_(math.log(norm * token_norm))


def equally_long(weights: Float[Tensor, "R D"]) -> tuple[Float[Tensor, "R D"], float]:
    """Return unit-norm rows and a factor: row . token times the factor equals weight . token.

    Here a token has zero as its last component, and the last column of `weights` is ignored.
    """
    longest = float(weights[:, :-1].norm(dim=1).max())
    rest = (longest**2 - weights[:, :-1].square().sum(dim=1)).clamp(min=0).sqrt()
    rows = torch.cat([weights[:, :-1], rest[:, None]], dim=1)
    return F.normalize(rows, dim=1), longest
