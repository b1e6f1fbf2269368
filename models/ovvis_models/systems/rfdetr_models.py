"""The InstFormer models with RF-DETR-Seg proposals: as `instformer-r50` but for what finds the objects.

Numbers: the configurations of the published files, as the transformers library converted them. Mask AP on
COCO val2017: RF-DETR's own documentation.
"""

from dataclasses import replace
from typing import Final

from ovvis_models.networks.rf_detr import RfDetrSpec
from ovvis_models.sources import CLIP_VIT_B_32, rf_detr_seg
from ovvis_models.systems.instformer import InstFormerSpec
from ovvis_models.systems.instformer_models import INSTFORMER_R50


def _instformer_rfdetr(
    size: str, proposals: RfDetrSpec, *, num_parameters: int, proposal_ap: float, description: str
) -> InstFormerSpec:
    return replace(
        INSTFORMER_R50,
        name=f"instformer-rfdetr-{size}",
        description=description,
        proposals=proposals,
        proposal_input=replace(
            INSTFORMER_R50.proposal_input,
            short_side=proposals.image_size,
            max_side=proposals.image_size,
            resize="plain",
            fit="square",
            divisor=proposals.window_px,
        ),
        sources=(rf_detr_seg(size, num_parameters=num_parameters), CLIP_VIT_B_32),
        licence="Apache-2.0 and MIT",
        proposal_ap=proposal_ap,
    )


INSTFORMER_RFDETR_NANO: Final = _instformer_rfdetr(
    "nano",
    RfDetrSpec(image_size=312, num_windows=1, width=256, num_queries=100, decoder_layers=4),
    num_parameters=33_600_000,
    proposal_ap=40.3,
    description="as instformer-rfdetr-medium, but at 312 pixels: the fastest",
)

INSTFORMER_RFDETR_SMALL: Final = _instformer_rfdetr(
    "small",
    RfDetrSpec(image_size=384, num_windows=2, width=256, num_queries=100, decoder_layers=4),
    num_parameters=33_700_000,
    proposal_ap=43.1,
    description="as instformer-rfdetr-medium, but at 384 pixels: faster",
)

INSTFORMER_RFDETR_MEDIUM: Final = _instformer_rfdetr(
    "medium",
    RfDetrSpec(image_size=432, num_windows=2, width=256, num_queries=200, decoder_layers=5),
    num_parameters=35_700_000,
    proposal_ap=45.3,
    description="for camera footage, free to use: COCO proposals (RF-DETR) and CLIP ViT-B/32, training-free",
)

INSTFORMER_RFDETR_LARGE: Final = _instformer_rfdetr(
    "large",
    RfDetrSpec(image_size=504, num_windows=2, width=256, num_queries=300, decoder_layers=5),
    num_parameters=36_200_000,
    proposal_ap=47.1,
    description="as instformer-rfdetr-medium, but at 504 pixels: slower and better",
)
