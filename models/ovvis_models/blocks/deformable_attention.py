"""Multi-scale deformable attention, fast on a CPU without compiled extensions.

`deformable_attention_reference.py` is the same computation in some 20 plain lines; read it first.

Every query reads a few points of every level, and each read is the bilinear mean of four tokens. Here the
four bilinear weights are multiplied into the attention weights. All points that a head of a query reads, at
one of the four corners, are then one bag of a weighted embedding lookup (`weighted_bags`). On a CPU this is
several times faster than a chain of `grid_sample`, and it never builds the (tokens x points x width)
intermediate. Each corner has its own bags: concatenating the indices of all four would cost more than the
lookup.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from ovvis_models.blocks.weighted_bags import weighted_bags


@dataclass(frozen=True, slots=True)
class LevelShapes:
    """Sizes (h, w) of the levels, in the order of their tokens."""

    sizes: tuple[tuple[int, int], ...]

    @property
    def num_tokens(self) -> int:
        """Number of tokens of all levels."""
        return sum(height * width for height, width in self.sizes)

    @property
    def heights(self) -> tuple[int, ...]:
        """Height of each level."""
        return tuple(height for height, _ in self.sizes)

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of each level."""
        return tuple(width for _, width in self.sizes)

    def split(self, tokens: Float[Tensor, "B S C"]) -> list[Float[Tensor, "B _h _w C"]]:
        """Split the tokens into one map per level, channels last."""
        parts = torch.split(tokens, [height * width for height, width in self.sizes], dim=1)
        return [torch.unflatten(part, 1, size) for part, size in zip(parts, self.sizes, strict=True)]


class DeformableAttention(nn.Module):
    """Attention of each query to `num_points` learned points of each of `num_levels` maps, per head."""

    def __init__(self, width: int, *, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width {width} cannot be split into {num_heads} heads")
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        self.sampling_offsets = nn.Linear(width, num_heads * num_levels * num_points * 2)
        self.attention_weights = nn.Linear(width, num_heads * num_levels * num_points)
        self.value_proj = nn.Linear(width, width)
        self.output_proj = nn.Linear(width, width)
        self._initialize()

    def _initialize(self) -> None:
        """Initialize head k to look in its own direction, each point one pixel further than the last."""
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
        """Attend to the maps.

        Args:
            query: content plus position.
            value: tokens of all levels, in the order of `shapes`.
            reference_points: (x, y) in [0, 1] of each query, the same at every level.
            shapes: sizes of the levels.
        """
        per_query = (self.num_heads, self.num_levels, self.num_points)
        offsets = torch.unflatten(self.sampling_offsets(query), -1, (*per_query, 2))
        weights = torch.unflatten(self.attention_weights(query), -1, (self.num_heads, -1))
        dtype = torch.promote_types(query.dtype, torch.float32)  # bfloat16 is too coarse for positions
        across, down = reference_points.to(dtype)[:, None, None, None].unbind(-1)  # S 1 1 1
        offset_x, offset_y = offsets.to(dtype).unbind(-1)
        widths, heights = (
            per_point(of_levels, like=offset_x) for of_levels in (shapes.widths, shapes.heights)
        )
        read = sample_levels(
            torch.unflatten(self.value_proj(value), -1, (self.num_heads, -1)),
            shapes=shapes,
            x=torch.addcmul(offset_x, across, widths),
            y=torch.addcmul(offset_y, down, heights),
            weights=torch.unflatten(softmax_of_few(weights), -1, per_query[1:]),
        )
        output: Tensor = self.output_proj(read)
        return output


def softmax_of_few(logits: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
    """Return the softmax over the last axis; faster on a CPU than torch for about a dozen entries."""
    powers = (logits - logits.detach().amax(dim=-1, keepdim=True)).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def sample_levels(
    value: Float[Tensor, "B T heads width"],
    *,
    shapes: LevelShapes,
    x: Float[Tensor, "B S heads levels points"],
    y: Float[Tensor, "B S heads levels points"],
    weights: Float[Tensor, "B S heads levels points"],
) -> Float[Tensor, "B S heads*width"]:
    """Return the weighted sum of the bilinear reads of each head; outside a map every value is zero.

    Equals `grid_sample(mode="bilinear", padding_mode="zeros", align_corners=False)`. Positions are in pixels
    of their level; 0 is the outer edge of the first pixel. x and y are separate tensors because strided
    arithmetic is several times slower on a CPU.
    """
    batch, _, heads, width = value.shape
    layout = _TableLayout(shapes)
    table = layout.fill(value.flatten(2)).view(-1, width)
    left, fx = _pixel_before(x, per_point(shapes.widths, like=x))
    top, fy = _pixel_before(y, per_point(shapes.heights, like=y))
    lower = weights * fy
    upper = weights - lower
    upper_right, lower_right = upper * fx, lower * fx
    corners = (
        (0, upper - upper_right),
        (1, upper_right),
        (layout.row_length, lower - lower_right),
        (layout.row_length + 1, lower_right),
    )
    upper_left = _bags_of(layout.rows(left, top))
    reads = (
        weighted_bags(table[heads * pixels :], indices=upper_left, weights=_bags_of(corner.to(value.dtype)))
        for pixels, corner in corners
    )
    return reduce(Tensor.add_, reads).view(batch, -1, heads * width)


def per_point(
    of_levels: Sequence[int], *, like: Shaped[Tensor, "B S heads levels points"]
) -> Shaped[Tensor, "heads levels points"]:
    """Repeat one number per level for every head and point, with the dtype and device of `like`.

    Contiguous rows broadcast faster than a stride of a few elements.
    """
    heads, _, points = like.shape[2:]
    return torch.tensor(of_levels, dtype=like.dtype, device=like.device)[:, None].repeat(heads, 1, points)


@dataclass(frozen=True, slots=True)
class _TableLayout:
    """Layout of all levels in one table of pixels, each level with a border of one zero pixel.

    Points outside a map are clamped onto its border, so that no read needs a check. All rows have the length
    of the widest level's, so that the pixel below is at the same distance everywhere.
    """

    shapes: LevelShapes

    @property
    def row_length(self) -> int:
        """Pixels per row, the same for all levels."""
        return max(self.shapes.widths) + 2

    @property
    def starts(self) -> tuple[int, ...]:
        """First pixel of each level, and the end of the last level."""
        return tuple(
            accumulate(((height + 2) * self.row_length for height in self.shapes.heights), initial=0)
        )

    @property
    def num_pixels(self) -> int:
        """Pixels per image, including those after the last level that are read with weight 0."""
        return self.starts[-1] + self.row_length + 1

    def fill(self, value: Float[Tensor, "B T C"]) -> Float[Tensor, "B T2 C"]:
        """Copy the tokens into a new table."""
        table = value.new_zeros(len(value), self.num_pixels, value.shape[-1])
        for (height, width), start, level in zip(
            self.shapes.sizes, self.starts, self.shapes.split(value), strict=False
        ):
            pixels = table[:, start : start + (height + 2) * self.row_length]
            rows = torch.unflatten(pixels, 1, (height + 2, self.row_length))
            rows[:, 1:-1, 1 : width + 1] = level
        return table

    def rows(self, left: Int[Tensor, "B S heads levels points"], top: Tensor) -> Tensor:
        """Return the row of each head and pixel in the (pixels x heads) table; overwrites `left`."""
        batch, _, heads = left.shape[:3]
        head = torch.arange(heads, dtype=left.dtype, device=left.device)[:, None, None]
        image = torch.arange(batch, dtype=left.dtype, device=left.device)[:, None, None, None, None]
        first = per_point([start * heads for start in self.starts[:-1]], like=left) + head
        pixel = left.add_(top, alpha=self.row_length)
        return pixel.mul_(heads).add_(first + image * (self.num_pixels * heads))


def _pixel_before(places: Tensor, extents: Tensor) -> tuple[Tensor, Tensor]:
    """Split positions along one axis into whole pixels, counted with the border, and a fraction."""
    bordered = torch.minimum(places, extents + 0.5).add_(0.5).clamp_(min=0)
    return bordered.int(), bordered.frac_()


def _bags_of(places: Shaped[Tensor, "B S heads levels points"]) -> Shaped[Tensor, "bags K"]:
    """Return one bag per query and head."""
    return places.flatten(0, 2).flatten(1)
