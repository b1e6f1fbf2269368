"""Output of the proposal network: the heads of its decoder layers."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelMaps:
    """Output of the pixel decoder before its projection to pixel embeddings."""

    levels: tuple[Float[Tensor, "B C _h _w"], ...]  # strides 32, 16, 8
    positions: tuple[Float[Tensor, "_P C"], ...]  # sine position of each level's pixels, row by row
    finest: Float[Tensor, "B C h w"]  # stride 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFeatures:
    """Output of the pixel decoder: encoded maps, coarse to fine, and pixel embeddings of the masks."""

    levels: tuple[Float[Tensor, "B C _h _w"], ...]  # strides 32, 16, 8
    positions: tuple[Float[Tensor, "_P C"], ...]  # sine position of each level's pixels, row by row
    pixel_embeds: Float[Tensor, "B C h w"]  # stride 4


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOrigin:
    """The objectness map that queries were selected from, and their points on it."""

    heatmap_logits: Float[Tensor, "B h8 w8"]
    points: Float[Tensor, "B Q 2"]  # (x, y) in [0, 1] of the padded input


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialQueries:
    """Queries before the first decoder layer."""

    query_feat: Float[Tensor, "B Q C"]
    query_pos: Float[Tensor, "B Q C"]
    origin: QueryOrigin | None = None  # None: not selected from a map


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOutput:
    """The heads after one decoder layer (or before the first)."""

    query_embeds: Float[Tensor, "B Q C"]
    mask_logits: Float[Tensor, "B Q h w"]  # stride 4 of the padded input
    object_logits: Float[Tensor, "B Q O"]  # O = 1, or K classes and, last, no object
    quality_logits: Float[Tensor, "B Q"] | None = None  # its sigmoid: overlap (IoU) of mask and object


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderOutput:
    """Heads of all layers, first to last (L + 1), and the origin of guided queries."""

    layers: tuple[LayerOutput, ...]
    origin: QueryOrigin | None = None
