"""CLIP architectures as specs of numbers, built with open_clip without weights; nothing is downloaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from jaxtyping import Int
from torch import Tensor

from ovvis_models.blocks.conv_stem import ConvStem

if TYPE_CHECKING:
    from open_clip import SimpleTokenizer
    from open_clip.model import CLIP, CLIPVisionCfg


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionSpec:
    """Dimensions of a CLIP vision transformer; sizes in pixels."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    head_width: int
    stem_widths: tuple[int, ...] = ()
    """Channels of each stage of a convolutional stem; empty for CLIP's own patch embedding."""

    def __post_init__(self) -> None:
        if self.stem_widths and 2 ** len(self.stem_widths) != self.patch_size:
            raise ValueError(
                f"{len(self.stem_widths)} stem stages do not result in patches of {self.patch_size} pixels"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetVisionSpec:
    """Dimensions of CLIP's ResNet: four stages, each twice as wide as the last, and attention pooling."""

    image_size: int  # pixels; determines the number of positions of the attention pool
    width: int  # channels of the first stage's bottlenecks; its output has four times as many
    layers: tuple[int, int, int, int]  # number of bottlenecks in each stage
    head_width: int  # width of one head of the attention pool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvNextVisionSpec:
    """A ConvNeXt from timm, followed by mean pooling and a linear projection."""

    image_size: int  # pixels
    name: str  # in timm


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpec:
    """Dimensions of a CLIP text transformer; `context_length` in tokens."""

    context_length: int
    vocab_size: int
    width: int
    heads: int
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSpec:
    """Dimensions of a CLIP model. `quick_gelu` is the activation that OpenAI's weights were trained with."""

    embed_dim: int
    vision: VisionSpec | ResNetVisionSpec | ConvNextVisionSpec
    text: TextSpec
    quick_gelu: bool


BPE_VOCAB_SIZE = 49408

_BASE_TEXT = TextSpec(context_length=77, vocab_size=BPE_VOCAB_SIZE, width=512, heads=8, layers=12)

VIT_B_32 = ClipSpec(
    embed_dim=512,
    vision=VisionSpec(image_size=224, patch_size=32, width=768, layers=12, head_width=64),
    text=_BASE_TEXT,
    quick_gelu=True,
)
"""Architecture of open_clip's `ViT-B-32-quickgelu`, with weights by OpenAI; used in the InstFormer paper."""

VIT_B_16 = ClipSpec(
    embed_dim=512,
    vision=VisionSpec(image_size=224, patch_size=16, width=768, layers=12, head_width=64),
    text=_BASE_TEXT,
    quick_gelu=True,
)
"""Architecture of open_clip's `ViT-B-16-quickgelu`."""

VIT_TINY_16 = ClipSpec(
    embed_dim=192,
    vision=VisionSpec(
        image_size=96, patch_size=16, width=192, layers=4, head_width=32, stem_widths=(24, 48, 96, 192)
    ),
    text=TextSpec(context_length=24, vocab_size=BPE_VOCAB_SIZE, width=96, heads=4, layers=3),
    quick_gelu=False,
)
"""CLIP of `instformer-tiny`, trained on diorama objects."""

RN50 = ClipSpec(
    embed_dim=1024,
    vision=ResNetVisionSpec(image_size=224, width=64, layers=(3, 4, 6, 3), head_width=64),
    text=_BASE_TEXT,
    quick_gelu=True,
)
"""Architecture of open_clip's `RN50-quickgelu`, with weights by OpenAI."""

CONVNEXT_BASE_W_320 = ClipSpec(
    embed_dim=640,
    vision=ConvNextVisionSpec(image_size=320, name="convnext_base"),
    text=TextSpec(context_length=77, vocab_size=BPE_VOCAB_SIZE, width=640, heads=10, layers=12),
    quick_gelu=False,
)
"""Architecture of open_clip's `convnext_base_w_320`."""

RESNET_TINY = ClipSpec(
    embed_dim=192,
    vision=ResNetVisionSpec(image_size=128, width=20, layers=(2, 2, 2, 2), head_width=32),
    text=VIT_TINY_16.text,
    quick_gelu=False,
)
"""CLIP of `clipvis-tiny`, trained on diorama objects."""


def build_clip(spec: ClipSpec) -> "CLIP":
    """Return a CLIP model with randomly initialised weights, in float32 on the CPU."""
    from open_clip.model import CLIP, CLIPTextCfg  # slow, and not needed by every model

    text = CLIPTextCfg(
        context_length=spec.text.context_length,
        vocab_size=spec.text.vocab_size,
        width=spec.text.width,
        heads=spec.text.heads,
        layers=spec.text.layers,
    )
    clip = CLIP(
        embed_dim=spec.embed_dim, vision_cfg=_vision(spec.vision), text_cfg=text, quick_gelu=spec.quick_gelu
    )
    if isinstance(spec.vision, VisionSpec) and spec.vision.stem_widths:
        clip.visual.conv1 = ConvStem(spec.vision.stem_widths, out_channels=spec.vision.width)
    return clip


def _vision(spec: VisionSpec | ResNetVisionSpec | ConvNextVisionSpec) -> "CLIPVisionCfg":
    """Return the vision settings of open_clip."""
    from open_clip.model import CLIPVisionCfg

    if isinstance(spec, ConvNextVisionSpec):
        return CLIPVisionCfg(
            image_size=spec.image_size, timm_model_name=spec.name, timm_pool="", timm_proj="linear"
        )
    shared = {"image_size": spec.image_size, "width": spec.width, "head_width": spec.head_width}
    if isinstance(spec, ResNetVisionSpec):
        return CLIPVisionCfg(layers=spec.layers, **shared)
    return CLIPVisionCfg(layers=spec.layers, patch_size=spec.patch_size, **shared)


def tokenize(texts: Sequence[str], *, context_length: int) -> Int[Tensor, "S L"]:
    """Return the token rows of S texts: start token, byte pairs of the lower-cased text, end token, zeros.

    Longer texts are truncated and keep their end token.

    Raises:
        ValueError: when `texts` is empty.
    """
    if not texts:
        raise ValueError("nothing to tokenize")
    tokens: Tensor = _tokenizer()(list(texts), context_length=context_length)
    return tokens


@cache
def _tokenizer() -> "SimpleTokenizer":
    from open_clip import SimpleTokenizer

    return SimpleTokenizer()  # reads the vocabulary bundled with open_clip, which takes 0.25 s
