"""Instance guidance attention: CLIP's own for register and patches, a light one for instance tokens.

                 itself    other instances   register   patches
    instance     -log 2    never             -log 2     its guidance
    register     0         never             -          0
    patch        (0)       never             0          0

Equation 3 of the paper writes one (1+N+P)^2 mask; as nobody sees the instance tokens it falls apart into
CLIP's attention and N extra queries, and the large mask never exists.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SHARED_BIAS = -math.log(2.0)
"""An instance token reads two offspring of the class token, itself and the register. Each gets half of the
attention that CLIP's class token pays to itself, so that an untrained token with full guidance IS CLIP's
class token."""


def guided_attention(
    query: Float[Tensor, "B heads A_N head_dim"],
    key: Float[Tensor, "B heads S_N head_dim"],
    value: Float[Tensor, "B heads S_N head_dim"],
    *,
    bias: Float[Tensor, "B N S"],
) -> Float[Tensor, "B heads A_N head_dim"]:
    """Attention output of A asking shared tokens followed by N instance tokens.

    Keys and values are of all S shared tokens (register, then patches) and the N instance tokens; `bias` is
    what instance tokens add to their attention logits on the shared tokens.
    """
    num_shared = bias.shape[-1]
    num_asking = query.shape[2] - bias.shape[1]
    shared_key, shared_value = key[:, :, :num_shared], value[:, :, :num_shared]
    shared = functional.scaled_dot_product_attention(query[:, :, :num_asking], shared_key, shared_value)
    if bias.shape[1] == 0:
        return shared
    instance_query = query[:, :, num_asking:] * query.shape[-1] ** -0.5
    on_shared = instance_query @ shared_key.transpose(-2, -1) + bias.unsqueeze(1)  # (B, heads, N, S)
    on_self = (instance_query * key[:, :, num_shared:]).sum(-1, keepdim=True) + SHARED_BIAS
    attention = torch.cat([on_self, on_shared], dim=-1).softmax(dim=-1)
    instances = attention[..., 1:].to(value.dtype) @ shared_value
    instances = instances + attention[..., :1].to(value.dtype) * value[:, :, num_shared:]
    return torch.cat([shared, instances], dim=2)
