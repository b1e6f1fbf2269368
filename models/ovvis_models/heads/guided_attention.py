"""Instance guidance attention (InstFormer, Eq. 3): CLIP's attention with one extra query per proposal.

Bias of the attention logit from a token (row) to other tokens (columns); "never" means masked out:

                 itself    other instances   register   patches
    instance     -log 2    never             -log 2     its guidance
    register     0         never             -          0
    patch        (0)       never             0          0

The paper writes this as one mask of size (1+N+P)^2. No other token attends to an instance token, so the
attention splits into CLIP's own attention and N extra queries, and the large mask is never built.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SHARED_BIAS = -math.log(2.0)
"""Bias of the attention logits from an instance token to itself and to the register.

Both start as copies of CLIP's class token. The bias halves the weight of each copy, so that together they
weigh as much as the class token does in CLIP. An untrained instance token with unrestricted guidance then
equals CLIP's class token.
"""


def guided_attention(
    query: Float[Tensor, "B heads A_N head_dim"],
    key: Float[Tensor, "B heads S_N head_dim"],
    value: Float[Tensor, "B heads S_N head_dim"],
    *,
    bias: Float[Tensor, "B N S"],
) -> Float[Tensor, "B heads A_N head_dim"]:
    """Return the attention output of A shared tokens, then of N instance tokens.

    Args:
        query: queries of A of the shared tokens, then of the N instance tokens.
        key: keys of all S shared tokens (register, then patches), then of the N instance tokens.
        value: values in the order of the keys.
        bias: added to the attention logits from the instance tokens to the shared tokens.
    """
    num_shared = bias.shape[-1]
    num_shared_queries = query.shape[2] - bias.shape[1]
    shared_key, shared_value = key[:, :, :num_shared], value[:, :, :num_shared]
    shared = F.scaled_dot_product_attention(query[:, :, :num_shared_queries], shared_key, shared_value)
    if bias.shape[1] == 0:
        return shared
    instance_query = query[:, :, num_shared_queries:] * query.shape[-1] ** -0.5
    on_shared = instance_query @ shared_key.transpose(-2, -1) + bias.unsqueeze(1)  # (B, heads, N, S)
    on_self = (instance_query * key[:, :, num_shared:]).sum(-1, keepdim=True) + SHARED_BIAS
    attention = torch.cat([on_self, on_shared], dim=-1).softmax(dim=-1)
    instances = attention[..., 1:].to(value.dtype) @ shared_value
    instances = instances + attention[..., :1].to(value.dtype) * value[:, :, num_shared:]
    return torch.cat([shared, instances], dim=2)
