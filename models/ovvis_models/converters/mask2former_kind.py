"""Recognition of the kind of Mask2Former in a state dict, in any layout, for readable error messages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from torch import Tensor

_RESNET_STEM: Final = r"(.*\.)?(stem\.conv1|(?:body|base)\.conv1|embedder\.embedder\.convolution)\.weight"
_RESNET_BLOCK: Final = r".*\b(?:res4|layer3|stages\.2\.layers)\.(\d+)\..*"
_RESNETS: Final = MappingProxyType({6: "ResNet-50", 23: "ResNet-101"})
_SWIN_STEM: Final = r"(.*\.)?(patch_embed|patch_embed\.proj|patch_embeddings\.projection)\.weight"
_SWIN_BLOCK: Final = r".*\b(?:layers\.2\.blocks|stages\.2)\.(\d+)\..*"
_SWINS: Final = MappingProxyType(
    {(96, 6): "Swin-T", (96, 18): "Swin-S", (128, 18): "Swin-B", (192, 18): "Swin-L"}
)
_QUERIES: Final = r".*\.(query_feat|static_query|queries_features)\.weight"
_CLASSES: Final = r"(.*\.)?(class_embed|class_predictor|object_head\.linear)\.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkKind:
    """Numbers by which published networks differ; None if the names do not tell."""

    backbone: str | None
    num_queries: int | None
    num_classes: int | None


def kind_of(checkpoint: Mapping[str, Tensor]) -> NetworkKind:
    """Return what the tensors of a checkpoint tell about its network."""
    num_columns = _rows(checkpoint, _CLASSES)
    return NetworkKind(
        backbone=_backbone(checkpoint),
        num_queries=_rows(checkpoint, _QUERIES),
        num_classes=None if num_columns is None else num_columns - 1,
    )


def difference(found: NetworkKind, wanted: NetworkKind) -> str:
    """Describe in words how two kinds differ, and what to do; empty if they do not."""
    if found.backbone is not None and found.backbone != wanted.backbone:
        return f"this looks like a {found.backbone} checkpoint; the model needs {wanted.backbone}"
    if found.num_queries is not None and found.num_queries != wanted.num_queries:
        return f"this checkpoint has {found.num_queries} queries; the model needs {wanted.num_queries}"
    if found.num_classes is not None and found.num_classes != wanted.num_classes:
        return f"this checkpoint has {found.num_classes} classes; the model needs {wanted.num_classes}"
    return ""


def _backbone(checkpoint: Mapping[str, Tensor]) -> str | None:
    if _rows(checkpoint, _RESNET_STEM) is not None:
        depth = _num_blocks(checkpoint, _RESNET_BLOCK)
        return _RESNETS.get(depth, f"ResNet (with {depth} blocks in its third stage)")
    width = _rows(checkpoint, _SWIN_STEM)
    if width is not None:
        depth = _num_blocks(checkpoint, _SWIN_BLOCK)
        return _SWINS.get((width, depth), f"Swin (of width {width}, with {depth} blocks in its third stage)")
    return None


def _rows(checkpoint: Mapping[str, Tensor], pattern: str) -> int | None:
    """Return the length of the first tensor of that name."""
    return next(
        (x.shape[0] for name, x in checkpoint.items() if x.ndim and re.fullmatch(pattern, name)), None
    )


def _num_blocks(checkpoint: Mapping[str, Tensor], pattern: str) -> int:
    matches = (re.fullmatch(pattern, name) for name in checkpoint)
    return 1 + max((int(match[1]) for match in matches if match), default=-1)
