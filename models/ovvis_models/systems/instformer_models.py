"""The InstFormer models of the catalog, with the baseline MinVIS-CLIP: their numbers."""

from dataclasses import replace
from typing import Final

from ovvis_models.backbones.swin import SWIN_B, SWIN_T
from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD
from ovvis_models.networks.clip import VIT_B_32, VIT_TINY_16
from ovvis_models.networks.mask2former import BackboneSpec, Mask2FormerSpec
from ovvis_models.preprocess import ImageInput, pixel_range
from ovvis_models.sources import (
    CLIP_VIT_B_32,
    MASK2FORMER_R50,
    MASK2FORMER_SWIN_B,
    MASK2FORMER_SWIN_T,
)
from ovvis_models.systems.instformer import InstClipSpec, InstFormerSpec
from ovvis_models.systems.spec import AssociationSpec, ZooWeights
from ovvis_models.trackers.assignment import AssociationRules

_CLIP_MEAN: Final = pixel_range(CLIP_MEAN)
_CLIP_STD: Final = pixel_range(CLIP_STD)
_IMAGENET_MEAN: Final = (123.675, 116.28, 103.53)
_IMAGENET_STD: Final = (58.395, 57.12, 57.375)

TINY_PROPOSALS: Final = Mask2FormerSpec(
    backbone=BackboneSpec(name="resnet18", arguments={"channels": (32, 64, 128, 192)}, norm="instance"),
    width=96,
    num_heads=4,
    encoder_layers=2,
    encoder_ffn_dim=384,
    num_points=4,
    decoder_layers=3,
    decoder_ffn_dim=384,
    queries="guided",
    num_queries=32,
    num_classes=None,
)

INSTFORMER_TINY: Final = InstFormerSpec(
    name="instformer-tiny",
    description="the embedded model: trained on the procedural diorama world only, runs on any CPU",
    proposals=TINY_PROPOSALS,
    clip=VIT_TINY_16,
    classifiers=("instclip", "masked-crops"),
    instclip=InstClipSpec(num_instance_tokens=1, lora_rank=16, lora_alpha=32.0),
    proposal_input=ImageInput(short_side=320, max_side=640, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
    clip_input=ImageInput(short_side=240, max_side=480, mean=_CLIP_MEAN, std=_CLIP_STD),
    association=AssociationSpec(
        hidden_dim=128,
        rules=AssociationRules(match_threshold=0.3, birth_threshold=0.3),
        weight_by_mask_confidence=True,
        score_floor=0.1,
        duplicate_overlap=0.75,
    ),
    text_domain="diorama",
    weights=ZooWeights(
        file_name="instformer_tiny.safetensors",
        sha256="5822b42125e0217bcf6c08f8d54c83bf76ecc81b2b597c43492ddfbb2f177f84",
    ),
    licence="Apache-2.0",
)

R50_PROPOSALS: Final = Mask2FormerSpec(
    backbone=BackboneSpec(name="resnet50", norm="frozen"),
    width=256,
    num_heads=8,
    encoder_layers=6,
    encoder_ffn_dim=1024,
    num_points=4,
    decoder_layers=9,
    decoder_ffn_dim=2048,
    queries="learned",
    num_queries=100,
    num_classes=80,
)

INSTFORMER_R50: Final = InstFormerSpec(
    name="instformer-r50",
    description="for camera footage: COCO proposals (ResNet-50) and CLIP ViT-B/32, training-free",
    proposals=R50_PROPOSALS,
    clip=VIT_B_32,
    classifiers=("instclip", "masked-crops"),
    instclip=InstClipSpec(num_instance_tokens=1, lora_rank=None, lora_alpha=16.0),
    proposal_input=ImageInput(
        short_side=480, max_side=1333, mean=_IMAGENET_MEAN, std=_IMAGENET_STD, resize="pillow"
    ),
    clip_input=ImageInput(short_side=480, max_side=1333, mean=_CLIP_MEAN, std=_CLIP_STD),
    association=AssociationSpec(
        hidden_dim=None, rules=AssociationRules(), score_floor=0.25, duplicate_overlap=0.7
    ),
    text_domain="web",
    weights=None,
    sources=(MASK2FORMER_R50, CLIP_VIT_B_32),
    licence="CC BY-NC 4.0 and MIT",
    proposal_ap=43.7,
)

INSTFORMER_SWIN_T: Final = replace(
    INSTFORMER_R50,
    name="instformer-swin-t",
    description="as instformer-r50, but Swin-T: a little slower and better",
    proposals=replace(R50_PROPOSALS, backbone=SWIN_T),
    sources=(MASK2FORMER_SWIN_T, CLIP_VIT_B_32),
    proposal_ap=45.0,
)

INSTFORMER_SWIN_B: Final = replace(
    INSTFORMER_R50,
    name="instformer-swin-b",
    description="as instformer-r50, but Swin-B: slower, best",
    proposals=replace(R50_PROPOSALS, backbone=SWIN_B),
    sources=(MASK2FORMER_SWIN_B, CLIP_VIT_B_32),
    proposal_ap=48.1,
)

MINVIS_CLIP_R50: Final = replace(
    INSTFORMER_R50,
    name="minvis-clip-r50",
    description="a baseline of the papers: every query a track, one CLIP pass a masked crop; slow",
    association=replace(INSTFORMER_R50.association, untrained="previous-frame"),
    classifiers=("masked-crops", "instclip"),
)
