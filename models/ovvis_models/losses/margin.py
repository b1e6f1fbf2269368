"""The contrastive instance margin loss of InstFormer (its equation 2)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def margin_loss(
    query_embeds: Float[Tensor, "... Q C"], *, margin: float, alike: Bool[Tensor, "... Q Q"] | None = None
) -> Float[Tensor, ""]:
    """Return the mean over pairs i != j of max(0, cos(q_i, q_j) - margin).

    The paper writes a sum over all pairs, i = j included: those add a constant without gradient and are left
    out, and the sum is divided by the Q (Q - 1) pairs, so that one weight serves any number of queries.
    Leading axes (images, layers) are averaged. Pairs in `alike` are meant to be the same object and cost
    nothing. Needs two queries at least.
    """
    unit = F.normalize(query_embeds, dim=-1)
    excess = (unit @ unit.transpose(-1, -2) - margin).relu()
    num_queries = query_embeds.shape[-2]
    diagonal = torch.eye(num_queries, dtype=torch.bool, device=query_embeds.device)
    pairs = excess.masked_fill(diagonal if alike is None else diagonal | alike, 0.0).sum(dim=(-1, -2))
    return pairs.mean() / (num_queries * (num_queries - 1))
