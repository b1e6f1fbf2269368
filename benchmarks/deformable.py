"""Milliseconds of one layer of deformable attention: ours against the plain reference, a chain of
grid_sample.

    python -m benchmarks.deformable [--size 480x864] [--threads 1] [--repeats 5]

Both have the same weights. They are timed in turns, forward only and forward with backward, and the fastest
turn counts, so that other load slows both alike. Also prints the largest difference of the results.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ovvis_models.blocks.deformable_attention import DeformableAttention, LevelShapes
from ovvis_models.blocks.deformable_attention_reference import deformable_attention_reference
from ovvis_models.decoders.pixel_decoder import pixel_centers

WIDTH, HEADS, POINTS = 256, 8, 4
STRIDES = (32, 16, 8)


def main() -> None:
    """Measure and print."""
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
        "grid_sample": lambda: deformable_attention_reference(
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
    """Return the seconds of one call, with its backward pass or without gradients."""
    start_s = time.perf_counter()
    with torch.set_grad_enabled(backward):
        output = form()
        if backward:
            torch.autograd.backward(output.sum())
    return time.perf_counter() - start_s


if __name__ == "__main__":
    main()
