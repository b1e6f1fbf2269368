"""The MinVIS models of the catalog: their numbers."""

from dataclasses import replace
from typing import Final

from ovvis_models.sources import minvis_r50
from ovvis_models.systems.instformer_models import INSTFORMER_R50, R50_PROPOSALS
from ovvis_models.systems.minvis import MinVISSpec

MINVIS_R50_YTVIS2019: Final = MinVISSpec(
    name="minvis-r50-ytvis2019",
    description="MinVIS of its authors: knows the 40 classes of YouTube-VIS 2019 and no others",
    proposals=replace(R50_PROPOSALS, num_classes=40),
    proposal_input=replace(INSTFORMER_R50.proposal_input, short_side=360),
    classifiers=("class-head",),
    class_table="ytvis2019",
    association=replace(INSTFORMER_R50.association, untrained="previous-frame", tracked_by="query"),
    text_domain="web",
    weights=None,
    sources=(minvis_r50("ytvis19"),),
    licence="CC BY-NC-SA 4.0",
)

MINVIS_R50_YTVIS2021: Final = replace(
    MINVIS_R50_YTVIS2019,
    name="minvis-r50-ytvis2021",
    description="as minvis-r50-ytvis2019, for the 40 classes of YouTube-VIS 2021",
    class_table="ytvis2021",
    sources=(minvis_r50("ytvis21"),),
)

MINVIS_R50_OVIS: Final = replace(
    MINVIS_R50_YTVIS2019,
    name="minvis-r50-ovis",
    description="as minvis-r50-ytvis2019, for the 25 classes of OVIS",
    proposals=replace(R50_PROPOSALS, num_classes=25),
    class_table="ovis",
    sources=(minvis_r50("ovis"),),
)
