"""The CLIP-VIS models of the catalog: their numbers."""

from dataclasses import replace
from typing import Final

from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD
from ovvis_models.networks.clip import CONVNEXT_BASE_W_320, RESNET_TINY, RN50
from ovvis_models.preprocess import ImageInput, pixel_range
from ovvis_models.systems.clip_vis import ClipVisSpec
from ovvis_models.systems.instformer_models import R50_PROPOSALS, TINY_PROPOSALS
from ovvis_models.systems.spec import AssociationSpec, ZooWeights
from ovvis_models.systems.word_clip_vis import WordClipVisSpec
from ovvis_models.trackers.assignment import AssociationRules

_MEAN: Final = pixel_range(CLIP_MEAN)
_STD: Final = pixel_range(CLIP_STD)
_SMALL: Final = ImageInput(short_side=320, max_side=640, mean=_MEAN, std=_STD)
_PUBLISHED: Final = ImageInput(short_side=480, max_side=1333, mean=_MEAN, std=_STD, resize="pillow")

CLIPVIS_TINY: Final = ClipVisSpec(
    name="clipvis-tiny",
    description="CLIP-VIS trained on the procedural diorama world only, runs on any CPU",
    proposals=replace(TINY_PROPOSALS, backbone=None, object_head_layers=3, predicts_quality=True),
    clip=RESNET_TINY,
    classifiers=("mask-pooling",),
    proposal_input=_SMALL,
    association=AssociationSpec(
        hidden_dim=None,
        untrained="top-k",
        rules=AssociationRules(match_threshold=0.3, birth_threshold=0.5),
        score_floor=0.35,
        duplicate_overlap=0.6,
    ),
    text_domain="diorama",
    weights=ZooWeights(
        file_name="clipvis_tiny.safetensors",
        sha256="afb1da8eec3742e516801bdf6bfda480a273ff72b067268a91a27a8d7915bf35",
    ),
    licence="Apache-2.0",
)

CLIPVIS_CAMERA: Final = WordClipVisSpec(
    name="clipvis-camera",
    description="for camera footage, comes with ovvis: CLIP-VIS on EfficientNet-Lite2, a list of words",
    proposals=replace(CLIPVIS_TINY.proposals, num_queries=60),
    image_network="tf_efficientnet_lite2",
    words="photographs",
    num_rows=1133,
    token_width=1402,
    classifiers=("mask-pooling",),
    proposal_input=ImageInput(short_side=352, max_side=704, mean=(127.0,) * 3, std=(128.0,) * 3),
    association=AssociationSpec(
        hidden_dim=None,
        untrained="top-k",
        rules=AssociationRules(match_threshold=0.3, birth_threshold=0.2),
        weight_by_mask_confidence=True,
        score_floor=0.1,
        duplicate_overlap=0.6,
    ),
    text_domain="photographs",
    weights=ZooWeights(
        file_name="clipvis_camera.safetensors",
        sha256="fad65b921d3f7d67776601a831e11f74f1533bfa37e7ce2534a0b30515d20327",
    ),
    licence="Apache-2.0",
)

CLIPVIS_R50: Final = ClipVisSpec(
    name="clipvis-r50",
    description="CLIP-VIS of its authors on CLIP ResNet-50, trained on LVIS",
    proposals=replace(
        R50_PROPOSALS,
        backbone=None,
        decoder_layers=6,
        num_classes=None,
        object_head_layers=3,
        predicts_quality=True,
    ),
    clip=RN50,
    classifiers=("mask-pooling",),
    proposal_input=_PUBLISHED,
    association=AssociationSpec(
        hidden_dim=None,
        untrained="top-k",
        tracked_by="query",
        rules=AssociationRules(),
        score_floor=0.25,
        duplicate_overlap=0.7,
    ),
    text_domain="web",
    weights=None,
    page="https://drive.google.com/file/d/1taVBPVTX-MVQkp5nc0QgreiaJqFhYgtJ/view",
    licence="not stated by its authors (https://github.com/zwq456/CLIP-VIS)",
)

CLIPVIS_CONVNEXT_B: Final = replace(
    CLIPVIS_R50,
    name="clipvis-convnext-b",
    description="as clipvis-r50, but on CLIP ConvNeXt-B: slower, better",
    clip=CONVNEXT_BASE_W_320,
    page="https://drive.google.com/file/d/1R7qGowGbY9Al7ygU2fZ-Y5uG5xfgmDyT/view",
)
