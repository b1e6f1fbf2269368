"""The OV2Seg and OVFormer models of the catalog: their numbers."""

from dataclasses import replace
from typing import Final

from ovvis_models.backbones.swin import SWIN_B
from ovvis_models.networks.clip import VIT_B_32
from ovvis_models.systems.clip_vis_models import CLIPVIS_TINY
from ovvis_models.systems.instformer_models import INSTFORMER_R50, R50_PROPOSALS
from ovvis_models.systems.ov2seg import OV2SegSpec
from ovvis_models.systems.ovformer import OVFormerSpec
from ovvis_models.systems.spec import AssociationSpec
from ovvis_models.trackers.assignment import AssociationRules

_PROPOSALS: Final = replace(R50_PROPOSALS, num_classes=None, object_head_layers=2)
_BY_QUERY: Final = AssociationSpec(
    hidden_dim=None,
    untrained="momentum",
    tracked_by="query",
    rules=AssociationRules(),
    score_floor=0.25,
    duplicate_overlap=0.7,
)

OV2SEG_R50: Final = OV2SegSpec(
    name="ov2seg-r50",
    description="OV2Seg of its authors, trained on LVIS images",
    proposals=replace(_PROPOSALS, decoder_layers=6),
    proposal_input=INSTFORMER_R50.proposal_input,
    clip=VIT_B_32,
    classifiers=("query",),
    association=_BY_QUERY,
    text_domain="web",
    weights=None,
    page="https://github.com/haochenheheda/LVVIS",
    licence="not stated by its authors (https://github.com/haochenheheda/LVVIS)",
)

OVFORMER_R50: Final = OVFormerSpec(
    name="ovformer-r50",
    description="OVFormer of its authors, trained on LVIS images, frame by frame",
    proposals=_PROPOSALS,
    proposal_input=replace(INSTFORMER_R50.proposal_input, short_side=360),
    clip=VIT_B_32,
    queries_of="frame",
    classifiers=("query",),
    association=_BY_QUERY,
    text_domain="web",
    weights=None,
    page="https://drive.google.com/file/d/1-tMcjp8xIYr9E5r5JYOESGajXtMAs33y/view",
    licence="not stated by its authors (https://github.com/fanghaook/OVFormer)",
)

OVFORMER_SWIN_B: Final = replace(
    OVFORMER_R50,
    name="ovformer-swin-b",
    description="as ovformer-r50, but Swin-B: slower, better",
    proposals=replace(_PROPOSALS, backbone=SWIN_B),
    proposal_input=replace(INSTFORMER_R50.proposal_input, short_side=480),
    page="https://drive.google.com/file/d/102qxZlu05yXILfghhrwjxv-tL3MlcYu7/view",
)

OVFORMER_LVVIS_R50: Final = replace(
    OVFORMER_R50,
    name="ovformer-lvvis-r50",
    description="OVFormer of its authors, trained on LV-VIS videos, in windows of 5 frames",
    queries_of="window",
    window=5,
    association=replace(_BY_QUERY, untrained="adjacent"),
    page="https://drive.google.com/file/d/1-zfEwdglPeVHzlc5Ky_HJlZtMgGXAy1S/view",
)

OVFORMER_LVVIS_SWIN_B: Final = replace(
    OVFORMER_LVVIS_R50,
    name="ovformer-lvvis-swin-b",
    description="as ovformer-lvvis-r50, but Swin-B: slower, better",
    proposals=OVFORMER_SWIN_B.proposals,
    proposal_input=OVFORMER_SWIN_B.proposal_input,
    page="https://drive.google.com/file/d/107BNsu9eTr5e70B4oj28jgHKBjYTWNWp/view",
)

OVFORMER_TINY: Final = OVFormerSpec(
    name="ovformer-tiny",
    description="a small OVFormer for the procedural diorama world, to be trained by `ovvis train`",
    proposals=replace(CLIPVIS_TINY.proposals, predicts_quality=False),
    proposal_input=replace(CLIPVIS_TINY.proposal_input, short_side=256, max_side=512),
    clip=CLIPVIS_TINY.clip,
    learned_prompts=False,
    queries_of="window",
    window=3,
    classifiers=("query",),
    association=replace(CLIPVIS_TINY.association, untrained="momentum"),
    text_domain="diorama",
    weights=None,
    licence="Apache-2.0",
)
