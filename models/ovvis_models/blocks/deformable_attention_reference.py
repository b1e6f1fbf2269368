"""Multi-scale deformable attention, written plainly: read this before the fast form.

Paper: Deformable DETR (Zhu et al., ICLR 2021), Eq. 3. Every query looks at a few points of every level, at
learned offsets from its own place, and sums what it reads there with learned weights. `DeformableAttention`
computes the same several times faster on a CPU; the tests compare the two, gradients included.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ovvis_models.blocks.deformable_attention import DeformableAttention, LevelShapes


def deformable_attention_reference(
    layer: DeformableAttention,
    query: Float[Tensor, "B S C"],
    *,
    value: Float[Tensor, "B T C"],
    reference_points: Float[Tensor, "S 2"],
    shapes: LevelShapes,
) -> Float[Tensor, "B S C"]:
    """Return the same as `layer(query, ...)`, with one `grid_sample` per level."""
    heads, levels, points = layer.num_heads, layer.num_levels, layer.num_points
    offsets = layer.sampling_offsets(query).unflatten(-1, (heads, levels, points, 2))  # pixels of each level
    weights = layer.attention_weights(query).unflatten(-1, (heads, levels * points)).softmax(dim=-1)
    maps = shapes.split(layer.value_proj(value).to(reference_points.dtype))  # (B, h, w, C) of each level
    samples = []
    for level, (height, width) in enumerate(shapes.sizes):
        places = reference_points[:, None, None] + offsets[:, :, :, level] / query.new_tensor([width, height])
        grid = (2 * places - 1).transpose(1, 2).flatten(0, 1)  # (B*heads, S, points, 2), (x, y) in [-1, 1]
        level_map = torch.unflatten(maps[level], -1, (heads, -1))  # (B, h, w, heads, C/heads)
        level_map = level_map.permute(0, 3, 4, 1, 2).flatten(0, 1)  # (B*heads, C/heads, h, w)
        samples.append(F.grid_sample(level_map, grid, padding_mode="zeros", align_corners=False))
    weights = weights.transpose(1, 2).flatten(0, 1)[:, None]  # (B*heads, 1, S, levels*points)
    read = (torch.cat(samples, dim=-1) * weights).sum(dim=-1)  # (B*heads, C/heads, S)
    output: Tensor = layer.output_proj(read.unflatten(0, (-1, heads)).permute(0, 3, 1, 2).flatten(2))
    return output
