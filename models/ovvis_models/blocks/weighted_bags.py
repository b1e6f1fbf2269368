"""Weighted sums of table rows, with a backward pass that is fast on a CPU.

The forward pass is `torch.nn.functional.embedding_bag`. On a CPU, its own backward pass for the table sorts
all indices, which costs more than everything else in a layer of deformable attention. The same sum is a
product with a transposed sparse matrix, twenty times faster (measured with 1.5 million indices).
"""

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from torch import Tensor
from torch.autograd.function import once_differentiable


def weighted_bags(
    table: Float[Tensor, "rows width"], *, indices: Int[Tensor, "bags K"], weights: Float[Tensor, "bags K"]
) -> Float[Tensor, "bags width"]:
    """Return for each bag the weighted sum of its K rows."""
    return cast(Tensor, _WeightedBags.apply(table, indices, weights))  # type: ignore[no-untyped-call]


class _WeightedBags(torch.autograd.Function):
    @staticmethod
    def forward(table: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
        return _bags(table, indices, weights)

    @staticmethod
    def setup_context(
        ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor
    ) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(
        ctx: torch.autograd.function.NestedIOFunction, grad: Tensor
    ) -> tuple[Tensor | None, None, Tensor | None]:
        table, indices, weights = ctx.saved_tensors
        needs_table, _, needs_weights = ctx.needs_input_grad  # type: ignore[misc]
        return (
            _table_gradient(table, indices, weights, grad) if needs_table else None,
            None,
            _weights_gradient(table, indices, weights, grad) if needs_weights else None,
        )


def _bags(table: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(indices, table, per_sample_weights=weights, mode="sum")


def _table_gradient(table: Tensor, indices: Tensor, weights: Tensor, grad: Tensor) -> Tensor:
    if table.device.type != "cpu":
        with torch.enable_grad():
            leaf = table.detach().requires_grad_()
            return torch.autograd.grad(_bags(leaf, indices, weights), leaf, grad)[0]
    dtype = torch.promote_types(table.dtype, torch.float32)  # scipy does not support bfloat16
    num_bags, bag_size = indices.shape
    starts = torch.arange(0, indices.numel() + 1, bag_size, dtype=indices.dtype)
    reads = csr_array(
        (weights.detach().to(dtype).flatten().numpy(), indices.flatten().numpy(), starts.numpy()),
        shape=(num_bags, table.shape[0]),
    )
    return torch.from_numpy(reads.T @ grad.to(dtype).numpy()).to(table.dtype)


def _weights_gradient(table: Tensor, indices: Tensor, weights: Tensor, grad: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = weights.detach().requires_grad_()
        return torch.autograd.grad(_bags(table.detach(), indices, leaf), leaf, grad)[0]
