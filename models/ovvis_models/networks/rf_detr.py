"""RF-DETR-Seg as the proposal network, as the transformers library implements it.

Paper: RF-DETR: Neural Architecture Search for Real-Time Detection Transformers (Robinson et al., ICLR 2026).
Data flow: square images -> DINOv2 with windowed attention -> one map -> deformable decoder -> Q query
embeddings with class logits; the map and the queries -> masks at stride 4.
Made class-agnostic: the object logit of a query is its highest class logit. RF-DETR scores each class by a
sigmoid of its own, without a "no object" class, so that logit is the score of its best class.
This is the only file that imports transformers, and only when a network is built: the package is an extra.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.errors import MismatchedWeightsError, MissingPackageError
from ovvis_models.networks.proposals import ProposalNetwork, ProposalSpec, ProposalStage
from ovvis_models.sources import Part
from ovvis_models.structures import Proposals

if TYPE_CHECKING:
    from transformers import RfDetrConfig, RfDetrForInstanceSegmentation

REQUIREMENT: Final = "transformers>=5.24"
_NUM_SHOWN: Final = 3  # names in a mismatch report, of each kind
_MLP_RATIO: Final = 4  # of the mask head: hidden width by width


class RfDetr(ProposalNetwork):
    """The library's RF-DETR with instance masks, behind the interface of proposal networks."""

    def __init__(self, network: "RfDetrForInstanceSegmentation") -> None:
        super().__init__()
        self.network = network

    def propose(self, images: Float[Tensor, "B 3 H W"]) -> Proposals:
        """Return the proposals of the last layer; images are square, their sides whole windows of patches."""
        output = self.network(pixel_values=images)
        return Proposals(
            query_embeds=output.last_hidden_state,  # (B, Q, C)
            mask_logits=output.pred_masks,  # (B, Q, H / 4, W / 4)
            object_logits=output.logits.amax(dim=-1),  # (B, Q, K) -> (B, Q)
        )

    def stages(self) -> Mapping[ProposalStage, nn.Module]:
        """Return the encoder, its projector and the whole network: the decoder and masks are the rest."""
        encoder = self.network.model.model.backbone
        return {
            "backbone": encoder.backbone,
            "pixel decoder": encoder.projector,
            "query decoder": self.network,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RfDetrSpec(ProposalSpec):
    """The numbers of one RF-DETR-Seg."""

    image_size: int  # pixels of each side that it was trained at
    num_windows: int  # in which attention is local, along each side
    patch_size: int = 12
    backbone_width: int = 384
    backbone_layers: int = 12
    backbone_heads: int = 6
    map_layers: tuple[int, ...] = (3, 6, 9, 12)  # of the backbone, whose outputs are read; from 1
    self_heads: int = 8
    cross_heads: int = 16
    num_points: int = 2  # read by each head in the decoder
    ffn_dim: int = 2048  # of the decoder
    num_classes: int = 91  # the numbers of COCO's categories, 0 to 90
    query_groups: int = 13  # trained side by side; only the first one runs

    @property
    def backbone_name(self) -> str:
        """DINOv2 and its size."""
        return f"DINOv2 of width {self.backbone_width} with {self.backbone_layers} blocks"

    @property
    def part(self) -> Part:
        """A file of the model hub."""
        return "rf-detr"

    @property
    def window_px(self) -> int:
        """The number of which both sides of an image are multiples."""
        return self.patch_size * self.num_windows

    def build(self) -> RfDetr:
        """See `ProposalSpec.build`."""
        transformers = _transformers()
        return RfDetr(transformers.RfDetrForInstanceSegmentation(self._config(transformers)))

    def convert(self, published: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `ProposalSpec.convert`; the library knows the names of its published files."""
        transformers = _transformers()
        with _silent(transformers.utils.logging):
            network, report = transformers.RfDetrForInstanceSegmentation.from_pretrained(
                None,
                config=self._config(transformers),
                state_dict=dict(published),
                ignore_mismatched_sizes=True,  # they are in the report
                output_loading_info=True,
            )
        _require_match(report)
        state = RfDetr(network).state_dict()
        assert state.keys() == expected.keys(), "both are networks of this spec"
        return state

    def require_packages(self) -> None:
        """See `ProposalSpec.require_packages`."""
        _transformers()

    def _config(self, transformers: Any) -> "RfDetrConfig":  # noqa: ANN401  a module
        return transformers.RfDetrConfig(
            backbone_config={
                "model_type": "rf_detr_dinov2",
                "image_size": self.image_size,
                "patch_size": self.patch_size,
                "num_windows": self.num_windows,
                "hidden_size": self.backbone_width,
                "num_hidden_layers": self.backbone_layers,
                "num_attention_heads": self.backbone_heads,
                "out_features": [f"stage{number}" for number in self.map_layers],
            },
            d_model=self.width,
            num_queries=self.num_queries,
            group_detr=self.query_groups,
            num_labels=self.num_classes,
            decoder_layers=self.decoder_layers,
            decoder_self_attention_heads=self.self_heads,
            decoder_cross_attention_heads=self.cross_heads,
            decoder_n_points=self.num_points,
            decoder_ffn_dim=self.ffn_dim,
            intermediate_size=_MLP_RATIO * self.width,
        )


def _transformers() -> Any:  # noqa: ANN401  a module
    try:
        import transformers
        from transformers import RfDetrForInstanceSegmentation  # noqa: F401  older versions lack it
    except ImportError as error:
        raise MissingPackageError(
            f"RF-DETR needs the package {REQUIREMENT}",
            hint=f'pip install "{REQUIREMENT}", or install ovvis with its extra: ovvis[rfdetr]',
        ) from error
    return transformers


@contextmanager
def _silent(logging: Any) -> Iterator[None]:  # noqa: ANN401  the library's own module of that name
    """While the body runs, the library shows no progress and no table of names."""
    level, shows_progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shows_progress:
            logging.enable_progress_bar()


def _require_match(report: Mapping[str, Any]) -> None:
    """Refuse weights that do not fill the network exactly."""
    faults = {
        "missing": sorted(report["missing_keys"]),
        "unexpected": sorted(report["unexpected_keys"]),
        "of another shape": sorted(name for name, *_ in report["mismatched_keys"]),
    }
    told = [
        f"{len(names)} {what} ({', '.join(names[:_NUM_SHOWN])}{', ...' if len(names) > _NUM_SHOWN else ''})"
        for what, names in faults.items()
        if names
    ]
    if told:
        raise MismatchedWeightsError(
            f"weights of another RF-DETR: {'; '.join(told)}",
            hint="the sizes nano, small, medium and large have different files",
        )
