"""Multi-scale deformable attention in plain PyTorch.

Every query reads a few points of every level, each the bilinear mean of four tokens. The four bilinear
weights are multiplied into the attention weights, and what a head of a query reads at one of the four corners
is then one bag of a weighted embedding lookup (`weighted_bags`), which is several times faster on a CPU than
the usual chain of `grid_sample`, and never builds the (tokens x points x width) intermediate. A bag for each
corner: to put all four into one costs more than the lookup itself.
The result is that of `grid_sample(mode="bilinear", padding_mode="zeros", align_corners=False)`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import torch
from jaxtyping import Float, Shaped
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

    @property
    def starts(self) -> tuple[int, ...]:
        """Index of each level's first token."""
        return tuple(accumulate((height * width for height, width in self.sizes[:-1]), initial=0))

    @property
    def heights(self) -> tuple[int, ...]:
        """Rows of each level."""
        return tuple(height for height, _ in self.sizes)

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of each level."""
        return tuple(width for _, width in self.sizes)

    @property
    def bordered(self) -> "LevelShapes":
        """The levels with a border of one pixel."""
        return LevelShapes(tuple((height + 2, width + 2) for height, width in self.sizes))

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
        per_query = (self.num_heads, self.num_levels, self.num_points)
        offsets = torch.unflatten(self.sampling_offsets(query), -1, (*per_query, 2))
        weights = torch.unflatten(self.attention_weights(query), -1, (self.num_heads, -1))
        dtype = torch.promote_types(query.dtype, torch.float32)  # places need more digits than bfloat16 has
        across, down = reference_points.to(dtype)[:, None, None, None].unbind(-1)  # S 1 1 1
        offset_x, offset_y = offsets.to(dtype).unbind(-1)
        widths, heights = (for_each_place(of, like=offset_x) for of in (shapes.widths, shapes.heights))
        read = sample_levels(
            torch.unflatten(self.value_proj(value), -1, (self.num_heads, -1)),
            shapes=shapes,
            x=torch.addcmul(offset_x, across, widths).sub_(0.5),
            y=torch.addcmul(offset_y, down, heights).sub_(0.5),
            weights=torch.unflatten(softmax_of_few(weights), -1, per_query[1:]),
        )
        output: Tensor = self.output_proj(read)
        return output


def softmax_of_few(logits: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows n"]:
    """Return the softmax over the last axis; faster on a CPU than torch's own when `n` is a dozen."""
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
    """Return the weighted sum of bilinear reads of each head; what lies outside a map is zero.

    Places (x, y) are in pixels of each level, 0 being the centre of the first. They are apart because
    arithmetic on every other number of a tensor is several times slower on a CPU.
    """
    batch, _, heads, width = value.shape
    table = _bordered(value.flatten(2), shapes).view(-1, width)
    left, fx = _cell(x, for_each_place(shapes.widths, like=x))
    top, fy = _cell(y, for_each_place(shapes.heights, like=y))
    lower, right = weights * fy, weights * fx
    lower_right = lower * fx
    upper_right = right - lower_right
    corner_weights = (weights - lower - upper_right, upper_right, lower - lower_right, lower_right)
    reads = (
        weighted_bags(table, indices=_bags_of(rows), weights=_bags_of(corner.to(value.dtype)))
        for rows, corner in zip(_corner_rows(left, top, table=shapes.bordered), corner_weights, strict=True)
    )
    return reduce(Tensor.add_, reads).view(batch, -1, heads * width)


def for_each_place(
    of_levels: Sequence[int], *, like: Shaped[Tensor, "B S heads levels points"]
) -> Shaped[Tensor, "heads levels points"]:
    """Return a number of each level, repeated for every head and point, of the type of `like`.

    Whole rows of places are then combined with whole rows of numbers, instead of a few at a time.
    """
    heads, _, points = like.shape[2:]
    return torch.tensor(of_levels, dtype=like.dtype, device=like.device)[:, None].repeat(heads, 1, points)


def _bordered(value: Float[Tensor, "B T C"], shapes: LevelShapes) -> Float[Tensor, "B T2 C"]:
    """Return the tokens with a border of one zero pixel around each level.

    It makes every read regular: a place outside is pulled onto the border.
    """
    bordered = shapes.bordered
    table = value.new_zeros(len(value), bordered.num_tokens, value.shape[-1])
    for size, start, level in zip(bordered.sizes, bordered.starts, shapes.split(value), strict=True):
        rows = table[:, start : start + math.prod(size)]
        torch.unflatten(rows, 1, size)[:, 1:-1, 1:-1] = level
    return table


def _cell(places: Tensor, extents: Tensor) -> tuple[Tensor, Tensor]:
    """Return, along one axis, the pixel before each place and how far behind that it lies, from 0 to 1."""
    before = torch.minimum(places.detach().floor().clamp_(min=-1), extents - 1)
    return before, (places - before).clamp(0, 1)


def _corner_rows(left: Tensor, top: Tensor, *, table: LevelShapes) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the rows of each cell's corners in the bordered table: the upper two, then the lower two."""
    batch, _, heads = left.shape[:3]
    left, top = left.int(), top.int()
    length = for_each_place([width * heads for width in table.widths], like=top)
    origins = [(start + width + 1) * heads for start, width in zip(table.starts, table.widths, strict=True)]
    head = torch.arange(heads, dtype=torch.int32, device=left.device)[:, None, None]
    image = torch.arange(batch, dtype=torch.int32, device=left.device)[:, None, None, None, None]
    first = for_each_place(origins, like=top) + head + image * (table.num_tokens * heads)
    upper_left = torch.addcmul(first, top, length).add_(left, alpha=heads)
    lower_left = upper_left + length
    return upper_left, upper_left + heads, lower_left, lower_left + heads


def _bags_of(places: Shaped[Tensor, "B S heads levels points"]) -> Shaped[Tensor, "bags K"]:
    """Return one bag for each head of each query."""
    return places.flatten(0, 2).flatten(1)
