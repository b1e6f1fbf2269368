"""The GenVIS models of the catalog: their numbers.

Online models look at windows of one frame, semi-online ones at windows of three. Their weights have one
layout, but each was trained for its window.
"""

from dataclasses import replace
from typing import Final

from ovvis_models.backbones.swin import SWIN_L
from ovvis_models.systems.genvis import GenVISSpec, WindowDecoderSpec
from ovvis_models.systems.instformer_models import (
    INSTFORMER_R50,
    INSTFORMER_TINY,
    R50_PROPOSALS,
    TINY_PROPOSALS,
)
from ovvis_models.systems.spec import AssociationSpec
from ovvis_models.trackers.assignment import AssociationRules

SEMI_ONLINE_WINDOW: Final = 3
_NUM_QUERIES: Final = 100
_SWIN_L_FRAME_QUERIES: Final = 200

GENVIS_R50_YTVIS2019: Final = GenVISSpec(
    name="genvis-r50-ytvis2019",
    description="GenVIS of its authors, frame by frame: knows the 40 classes of YouTube-VIS 2019",
    proposals=replace(R50_PROPOSALS, num_classes=40),
    proposal_input=replace(INSTFORMER_R50.proposal_input, short_side=360),
    window_decoder=WindowDecoderSpec(
        num_queries=_NUM_QUERIES, encoder_layers=6, decoder_layers=3, ffn_dim=2048, num_classes=40
    ),
    class_table="ytvis2019",
    num_results=10,
    classifiers=("class-head", "instclip"),
    clip=INSTFORMER_R50.clip,
    clip_input=INSTFORMER_R50.clip_input,
    instclip=INSTFORMER_R50.instclip,
    association=AssociationSpec(
        hidden_dim=None,
        untrained="propagation",
        tracked_by="query",
        rules=AssociationRules(),
        score_floor=0.25,
        duplicate_overlap=0.7,
    ),
    text_domain="web",
    weights=None,
    page="https://github.com/miranheo/GenVIS",
    licence="Apache-2.0 for the authors' code; none is stated for the weights alone",
)


def _semi_online(online: GenVISSpec) -> GenVISSpec:
    return replace(
        online,
        name=f"{online.name}-semi",
        description=f"as {online.name}, in windows of {SEMI_ONLINE_WINDOW} frames",
        window=SEMI_ONLINE_WINDOW,
    )


def _swin_l(r50: GenVISSpec, *, name: str) -> GenVISSpec:
    return replace(
        r50,
        name=name,
        description=f"as {r50.name}, but Swin-L: slower, better",
        proposals=replace(r50.proposals, backbone=SWIN_L, num_queries=_SWIN_L_FRAME_QUERIES),
        proposal_input=replace(r50.proposal_input, short_side=448),
    )


GENVIS_R50_YTVIS2021: Final = replace(
    GENVIS_R50_YTVIS2019,
    name="genvis-r50-ytvis2021",
    description="as genvis-r50-ytvis2019, for the 40 classes of YouTube-VIS 2021",
    class_table="ytvis2021",
)
GENVIS_R50_OVIS: Final = replace(
    GENVIS_R50_YTVIS2019,
    name="genvis-r50-ovis",
    description="as genvis-r50-ytvis2019, for the 25 classes of OVIS",
    proposals=replace(R50_PROPOSALS, num_classes=25),
    window_decoder=replace(GENVIS_R50_YTVIS2019.window_decoder, num_classes=25),
    class_table="ovis",
    num_results=20,
)
GENVIS_SWIN_L_YTVIS2019: Final = _swin_l(GENVIS_R50_YTVIS2019, name="genvis-swin-l-ytvis2019")
GENVIS_SWIN_L_YTVIS2021: Final = _swin_l(GENVIS_R50_YTVIS2021, name="genvis-swin-l-ytvis2021")
GENVIS_SWIN_L_OVIS: Final = _swin_l(GENVIS_R50_OVIS, name="genvis-swin-l-ovis")

GENVIS_TINY: Final = GenVISSpec(
    name="genvis-tiny",
    description="GenVIS on the proposal network and the CLIP of instformer-tiny: knows the diorama only",
    proposals=TINY_PROPOSALS,
    proposal_input=replace(INSTFORMER_TINY.proposal_input, short_side=256),
    window_decoder=WindowDecoderSpec(
        num_queries=24, encoder_layers=2, decoder_layers=3, ffn_dim=384, num_classes=1
    ),
    class_table=None,
    num_results=None,
    classifiers=("instclip",),
    clip=INSTFORMER_TINY.clip,
    clip_input=INSTFORMER_TINY.clip_input,
    instclip=INSTFORMER_TINY.instclip,
    association=replace(GENVIS_R50_YTVIS2019.association, score_floor=0.5, duplicate_overlap=0.75),
    text_domain="diorama",
    weights=None,
    licence="Apache-2.0",
)

_ONLINE: Final = (
    GENVIS_R50_YTVIS2019,
    GENVIS_R50_YTVIS2021,
    GENVIS_R50_OVIS,
    GENVIS_SWIN_L_YTVIS2019,
    GENVIS_SWIN_L_YTVIS2021,
    GENVIS_SWIN_L_OVIS,
)
GENVIS_MODELS: Final = (
    GENVIS_TINY,
    *(spec for online in _ONLINE for spec in (online, _semi_online(online))),
)
"""The tiny model, then each online model with its semi-online one."""
