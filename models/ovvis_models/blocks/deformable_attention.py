"""Multi-scale deformable attention in plain PyTorch.

Every query reads a few points of every level, each the bilinear mean of four tokens. The four bilinear
weights are multiplied into the attention weights, and everything a head of a query reads is then one bag of
a weighted embedding lookup (`weighted_bags`), which is several times faster on a CPU
than the usual chain of `grid_sample`, and never builds the (tokens x points x width) intermediate.
The result is that of `grid_sample(mode="bilinear", padding_mode="zeros", align_corners=False)`.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.blocks.weighted_bags import weighted_bags


@dataclass(frozen=True, slots=True)
class LevelShapes:
    """Sizes (h, w) of the levels, in the order in which their tokens stand."""

    sizes: tuple[tuple[int, int], ...]

    @property
    def num_tokens(self) -> int:
        """Tokens of all levels together."""
        return sum(height * width for height, width in self.sizes)

    def split(self, tokens: Float[Tensor, "B S C"]) -> list[Float[Tensor, "B _h _w C"]]:
        """Return the levels' maps, channels last."""
        parts = torch.split(tokens, [height * width for height, width in self.sizes], dim=1)
        return [torch.unflatten(part, 1, size) for part, size in zip(parts, self.sizes, strict=True)]


class DeformableAttention(nn.Module):
    """Attention of tokens to `num_points` learned places of each of `num_levels` maps, per head."""

    def __init__(self, width: int, *, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width {width} cannot be split into {num_heads} heads")
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        self.sampling_offsets = nn.Linear(width, num_heads * num_levels * num_points * 2)
        self.attention_weights = nn.Linear(width, num_heads * num_levels * num_points)
        self.value_proj = nn.Linear(width, width)
        self.output_proj = nn.Linear(width, width)
        self._initialise()

    def _initialise(self) -> None:
        """Let head k start by looking along its own direction, one pixel further with each point."""
        angles = torch.arange(self.num_heads) * (2 * math.pi / self.num_heads)
        directions = torch.stack([angles.cos(), angles.sin()], dim=-1)
        directions = directions / directions.abs().amax(dim=-1, keepdim=True)
        steps = torch.arange(1, self.num_points + 1)
        bias = directions[:, None, None] * steps[:, None]  # heads 1 points 2
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(bias.expand(-1, self.num_levels, -1, -1).flatten())
        nn.init.zeros_(self.sampling_offsets.weight)
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for projection in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(
        self,
        query: Float[Tensor, "B S C"],
        *,
        value: Float[Tensor, "B T C"],
        reference_points: Float[Tensor, "S 2"],
        shapes: LevelShapes,
    ) -> Float[Tensor, "B S C"]:
        """Return what each query reads.

        Args:
            query: content with position.
            value: tokens of all levels in the order of `shapes`.
            reference_points: (x, y) in [0, 1] of each query's own place, valid at every level.
            shapes: sizes of the levels.
        """
        heads, levels, points = self.num_heads, self.num_levels, self.num_points
        offsets = torch.unflatten(self.sampling_offsets(query), -1, (heads, levels, points, 2))
        weights = torch.unflatten(self.attention_weights(query), -1, (heads, levels * points)).softmax(dim=-1)
        extents = offsets.new_tensor([(width, height) for height, width in shapes.sizes])
        centers = reference_points[:, None] * extents - 0.5  # S levels 2, in pixels of each level
        read = sample_levels(
            torch.unflatten(self.value_proj(value), -1, (heads, -1)),
            shapes=shapes,
            places=centers[:, None, :, None] + offsets,
            weights=torch.unflatten(weights, -1, (levels, points)),
        )
        output: Tensor = self.output_proj(read)
        return output


def sample_levels(
    value: Float[Tensor, "B T heads width"],
    *,
    shapes: LevelShapes,
    places: Float[Tensor, "B S heads levels points 2"],
    weights: Float[Tensor, "B S heads levels points"],
) -> Float[Tensor, "B S heads*width"]:
    """Return the weighted sum of bilinear reads of each head; what lies outside a map is zero.

    `places` are (x, y) in pixels of each level, 0 being the centre of the first.
    """
    batch, _, heads, width = value.shape
    # A border of one zero pixel makes every read regular: places outside are pulled onto the border.
    maps = [F.pad(level, (0, 0, 1, 1, 1, 1)) for level in shapes.split(value.flatten(2))]
    padded = torch.cat([level.flatten(1, 2) for level in maps], dim=1)
    extents = places.new_tensor([(w, h) for h, w in shapes.sizes])[:, None]  # levels 1 2
    places = places.clamp(min=-torch.ones_like(extents), max=extents)
    corners = torch.minimum(places.detach().floor(), extents - 1)
    fx, fy = (places - corners).unbind(-1)
    lower, right = weights * fy, weights * fx
    lower_right = lower * fx
    upper = weights - lower
    corner_weights = torch.stack(
        [upper - right + lower_right, right - lower_right, lower - lower_right, lower_right], dim=-1
    )
    rows = _corner_rows(corners, shapes=shapes, num_rows=padded.shape[1])
    read = weighted_bags(
        padded.view(-1, width),
        indices=rows.flatten(0, 2).flatten(1),
        weights=corner_weights.flatten(0, 2).flatten(1).to(value.dtype),
    )
    return read.view(batch, -1, heads * width)


def _corner_rows(corners: Tensor, *, shapes: LevelShapes, num_rows: int) -> Tensor:
    """Return the rows of the four corners of each place in the padded value table, (..., points, 4)."""
    batch, _, heads = corners.shape[:3]
    device, dtype = corners.device, torch.int32
    row_lengths = [width + 2 for _, width in shapes.sizes]
    starts = [0]
    for height, width in shapes.sizes[:-1]:
        starts.append(starts[-1] + (height + 2) * (width + 2))
    first = torch.tensor(
        [s + n + 1 for s, n in zip(starts, row_lengths, strict=True)], dtype=dtype, device=device
    )
    length = torch.tensor(row_lengths, dtype=dtype, device=device)
    x, y = corners.to(dtype).unbind(-1)
    token = y * length[:, None] + x + first[:, None]  # B S heads levels points
    image = torch.arange(batch, dtype=dtype, device=device)[:, None, None, None, None] * num_rows
    head = torch.arange(heads, dtype=dtype, device=device)[:, None, None]
    upper_left = (token + image) * heads + head
    zero = torch.zeros_like(length)
    steps = torch.stack([zero, zero + 1, length, length + 1], dim=-1) * heads  # levels 4
    return upper_left[..., None] + steps[:, None]
