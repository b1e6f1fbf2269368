"""The contrastive instance margin loss L_SC of InstFormer (Eq. 2): queries of one image differ."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def margin_loss(
    query_embeds: Float[Tensor, "... Q C"], *, margin: float, alike: Bool[Tensor, "... Q Q"] | None = None
) -> Float[Tensor, ""]:
    """Return the mean over pairs i != j of max(0, cos(q_i, q_j) - margin).

    Deviations from the paper: its sum includes the pairs i = j, which add a constant without gradient; they
    are left out. The sum is divided by the Q (Q - 1) pairs, so that one weight fits any number of queries.
    Pairs in `alike` are exempt: guided queries on the same object are trained to agree (`guided_criterion`).
    Learned queries (`set_criterion`) exempt none, as published.

    Leading axes (images, layers) are averaged. There must be at least two queries.
    """
    unit = F.normalize(query_embeds, dim=-1)
    excess = (unit @ unit.transpose(-1, -2) - margin).relu()
    num_queries = query_embeds.shape[-2]
    diagonal = torch.eye(num_queries, dtype=torch.bool, device=query_embeds.device)
    pairs = excess.masked_fill(diagonal if alike is None else diagonal | alike, 0.0).sum(dim=(-1, -2))
    return pairs.mean() / (num_queries * (num_queries - 1))
