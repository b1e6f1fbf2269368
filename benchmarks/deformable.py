"""Milliseconds of one layer of deformable attention: ours against the usual chain of grid_sample.

    python -m benchmarks.deformable [--size 480x864] [--threads 1] [--repeats 5]

Both have the same weights and projections. They are timed in turns, forward alone and forward with backward,
and the fastest turn counts, so that a busy machine slows both alike. Prints the largest difference as well.
"""

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ovvis_models.blocks.deformable_attention import DeformableAttention, LevelShapes
from ovvis_models.decoders.pixel_decoder import pixel_centers

WIDTH, HEADS, POINTS = 256, 8, 4
STRIDES = (32, 16, 8)


def by_grid_sample(
    layer: DeformableAttention, query: Tensor, *, value: Tensor, reference_points: Tensor, shapes: LevelShapes
) -> Tensor:
    """What the layer computes, level by level with grid_sample; takes and gives what its `forward` does."""
    batch, num_tokens, _ = query.shape
    per_head = (layer.num_heads, layer.num_levels, layer.num_points)
    offsets = layer.sampling_offsets(query).view(batch, num_tokens, *per_head, 2)
    weights = layer.attention_weights(query).view(batch, num_tokens, layer.num_heads, -1).softmax(dim=-1)
    weights = weights.view(batch, num_tokens, *per_head)
    sizes = offsets.new_tensor([(width, height) for height, width in shapes.sizes])
    places = reference_points[:, None, None, None] + offsets / sizes[:, None]
    reads = []
    for level, maps in enumerate(shapes.split(layer.value_proj(value))):
        by_head = torch.unflatten(maps, -1, (layer.num_heads, -1)).permute(0, 3, 4, 1, 2).flatten(0, 1)
        grid = (places[:, :, :, level] * 2 - 1).transpose(1, 2).flatten(0, 1)  # (B * heads, S, points, 2)
        # (B * heads, C / heads, S, points)
        reads.append(F.grid_sample(by_head.to(grid.dtype), grid, align_corners=False))
    weight = weights.permute(0, 2, 1, 3, 4).flatten(0, 1).flatten(2)[:, None]
    read = (torch.cat(reads, dim=-1) * weight).sum(dim=-1)
    output: Tensor = layer.output_proj(read.unflatten(0, (batch, -1)).flatten(1, 2).transpose(1, 2))
    return output


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", default="480x864")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    height, width = (int(side) for side in options.size.split("x"))
    shapes = LevelShapes(tuple((height // stride, width // stride) for stride in STRIDES))
    layer = DeformableAttention(WIDTH, num_heads=HEADS, num_levels=len(STRIDES), num_points=POINTS)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.02)
    tokens = torch.randn(1, shapes.num_tokens, WIDTH, requires_grad=True)
    reference_points = pixel_centers(shapes, like=tokens)
    forms: dict[str, Callable[[], Tensor]] = {
        "grid_sample": lambda: by_grid_sample(
            layer, tokens, value=tokens, reference_points=reference_points, shapes=shapes
        ),
        "ours": lambda: layer(tokens, value=tokens, reference_points=reference_points, shapes=shapes),
    }
    difference = float((forms["ours"]() - forms["grid_sample"]()).detach().abs().max())
    for backward in (False, True):
        best = dict.fromkeys(forms, float("inf"))
        for _ in range(options.repeats):
            for name, form in forms.items():
                best[name] = min(best[name], seconds(form, backward=backward))
        told = ", ".join(f"{name} {value * 1e3:.0f} ms" for name, value in best.items())
        ratio = best["grid_sample"] / best["ours"]
        print(f"{'forward and backward' if backward else 'forward'}: {told}; {ratio:.1f} times as fast")
    print(f"largest difference {difference:.1e}")


def seconds(form: Callable[[], Tensor], *, backward: bool) -> float:
    """Seconds of one call, with its backward pass or without any gradient."""
    start_s = time.perf_counter()
    with torch.set_grad_enabled(backward):
        output = form()
        if backward:
            torch.autograd.backward(output.sum())
    return time.perf_counter() - start_s


if __name__ == "__main__":
    main()
