"""Mask2Former as the proposal network.

Paper: Masked-attention Mask Transformer for Universal Image Segmentation (Cheng et al., CVPR 2022); for
InstFormer, another object head makes it class-agnostic.
Data flow: images -> backbone (strides 4, 8, 16, 32) -> pixel decoder (encoded strides 32, 16, 8; pixel
embeddings at stride 4) -> query decoder (queries; mask = query . pixel) -> proposals.
Deviations from the original: none with learned queries and the closed-set head (proved by the parity
fixture). Guided queries and the class-agnostic head are additions that replace these two modules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.backbones.clip_maps import ClipMaps
from ovvis_models.backbones.efficientnet_maps import EfficientNetMaps
from ovvis_models.backbones.swin import SwinBackbone, SwinSpec
from ovvis_models.backbones.timm_features import Norm, TimmBackbone
from ovvis_models.blocks.decoder_output import DecoderOutput, LayerOutput
from ovvis_models.converters.mask2former import from_published
from ovvis_models.decoders.object_heads import (
    ClassAgnosticHead,
    ClosedSetHead,
    MaskQualityHead,
    ObjectHead,
    ObjectOrNothingHead,
)
from ovvis_models.decoders.pixel_decoder import PixelDecoder
from ovvis_models.decoders.queries import GuidedQueries, LearnedQueries, QuerySource
from ovvis_models.decoders.query_decoder import QueryDecoder
from ovvis_models.networks.proposals import ProposalNetwork, ProposalSpec, ProposalStage
from ovvis_models.sources import Part
from ovvis_models.structures import Proposals

BackboneArgument = int | float | bool | str | tuple[int, ...]


class Mask2Former(ProposalNetwork):
    """Mask2Former: backbone, pixel decoder and query decoder."""

    def __init__(
        self, *, backbone: nn.Module, pixel_decoder: PixelDecoder, query_decoder: QueryDecoder
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pixel_decoder = pixel_decoder
        self.query_decoder = query_decoder

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> DecoderOutput:
        """Return the outputs of all decoder layers, for training; images are normalised and padded to /32."""
        output: DecoderOutput = self.query_decoder(self.pixel_decoder(self.backbone(images)))
        return output

    def class_agnostic(self, images: Float[Tensor, "B 3 H W"]) -> DecoderOutput:
        """Return the output of `forward`, with one object logit for each query."""
        return self.with_one_object_logit(self(images))

    def with_one_object_logit(self, output: DecoderOutput) -> DecoderOutput:
        """Return an output of `forward` with the columns of the object head reduced to one object logit."""
        to_logit = self.query_decoder.object_head.object_logit
        layers = (
            replace(layer, object_logits=to_logit(layer.object_logits)[..., None]) for layer in output.layers
        )
        return DecoderOutput(layers=tuple(layers), origin=output.origin)

    def propose(self, images: Float[Tensor, "B 3 H W"]) -> Proposals:
        """Return the proposals of the last layer; images are normalised and padded to /32."""
        return self.proposals_of(self.last(images))

    def proposals_of(self, heads: LayerOutput) -> Proposals:
        """Return the proposals in the outputs of one decoder layer."""
        quality = heads.quality_logits
        return Proposals(
            query_embeds=heads.query_embeds,
            mask_logits=heads.mask_logits,
            object_logits=self.query_decoder.object_head.object_logit(heads.object_logits),
            mask_quality=None if quality is None else quality.sigmoid(),
        )

    def stages(self) -> Mapping[ProposalStage, nn.Module]:
        """See `ProposalNetwork.stages`."""
        return {
            "backbone": self.backbone,
            "pixel decoder": self.pixel_decoder,
            "query decoder": self.query_decoder,
        }

    def last(self, images: Float[Tensor, "B 3 H W"]) -> LayerOutput:
        """Return the outputs of the last decoder layer; images are normalised and padded to /32."""
        return self.query_decoder.last(self.pixel_decoder(self.backbone(images)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """A convolutional backbone: its timm name, the arguments that differ from timm's defaults, its norm."""

    name: str
    arguments: dict[str, BackboneArgument] = field(default_factory=dict)
    norm: Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask2FormerSpec(ProposalSpec):
    """Dimensions and choices of modules of a Mask2Former."""

    backbone: BackboneSpec | SwinSpec | None  # None: shares the feature maps of another network (CLIP-VIS)
    num_heads: int
    encoder_layers: int
    encoder_ffn_dim: int
    num_points: int  # sampling points per head and level in the encoder
    decoder_ffn_dim: int
    queries: Literal["learned", "guided"]
    num_classes: int | None  # None: class-agnostic
    object_head_layers: int | None = None  # of a head with columns "object" and "nothing"; None: no such head
    predicts_quality: bool = False  # adds the mask-IoU head of CLIP-VIS

    @property
    def backbone_name(self) -> str:
        """The backbone by its name in timm, or its size."""
        if self.backbone is None:
            return "the vision tower of its CLIP"
        if not isinstance(self.backbone, SwinSpec):
            return self.backbone.name
        return f"swin of width {self.backbone.width} with {sum(self.backbone.depths)} blocks"

    @property
    def part(self) -> Part:
        """A Mask2Former checkpoint."""
        return "proposals"

    def build(self) -> Mask2Former:
        """See `ProposalSpec.build`; only where it has a backbone of its own."""
        return build_mask2former(self)

    def convert(self, published: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `ProposalSpec.convert`."""
        return from_published(published, expected)


def build_mask2former(
    spec: Mask2FormerSpec, *, backbone: ClipMaps | EfficientNetMaps | None = None
) -> Mask2Former:
    """Return the untrained network of `spec`.

    Args:
        spec: dimensions and choices of modules.
        backbone: source of the feature maps when `spec` has no backbone.

    Raises:
        ValueError: when neither or both of `spec` and `backbone` give a backbone.
    """
    if (spec.backbone is None) == (backbone is None):
        raise ValueError("give exactly one backbone: either in the spec or as an argument")
    maps = backbone or _backbone(spec.backbone)
    pixel_decoder = PixelDecoder(
        maps.channels,
        width=spec.width,
        num_layers=spec.encoder_layers,
        num_heads=spec.num_heads,
        num_points=spec.num_points,
        ffn_dim=spec.encoder_ffn_dim,
    )
    query_decoder = QueryDecoder(
        width=spec.width,
        num_heads=spec.num_heads,
        num_layers=spec.decoder_layers,
        ffn_dim=spec.decoder_ffn_dim,
        queries=_query_source(spec),
        object_head=_object_head(spec),
        quality_head=MaskQualityHead(spec.width) if spec.predicts_quality else None,
    )
    return Mask2Former(backbone=maps, pixel_decoder=pixel_decoder, query_decoder=query_decoder)


def _backbone(spec: BackboneSpec | SwinSpec | None) -> TimmBackbone | SwinBackbone:
    assert spec is not None, "checked by the caller"
    if isinstance(spec, SwinSpec):
        return SwinBackbone(spec)
    return TimmBackbone(spec.name, arguments=spec.arguments, norm=spec.norm)


def _query_source(spec: Mask2FormerSpec) -> QuerySource:
    if spec.queries == "guided":
        return GuidedQueries(spec.num_queries, width=spec.width)
    return LearnedQueries(spec.num_queries, width=spec.width)


def _object_head(spec: Mask2FormerSpec) -> ObjectHead:
    if spec.object_head_layers is not None:
        return ObjectOrNothingHead(spec.width, num_layers=spec.object_head_layers)
    if spec.num_classes is None:
        return ClassAgnosticHead(spec.width)
    return ClosedSetHead(spec.width, num_classes=spec.num_classes)
