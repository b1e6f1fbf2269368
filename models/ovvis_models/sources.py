"""Sources of published weights for `ovvis models pull`: addresses, checksums and licences.

Nothing here opens a connection. A checksum is None if the publisher gives none; the command then says so.
"""

from dataclasses import dataclass
from typing import Final, Literal

Part = Literal["proposals", "rf-detr", "clip", "clip-vis", "ov2seg", "ovformer", "genvis"]
"""Content of a published file: a Mask2Former, an RF-DETR, a CLIP, a complete CLIP-VIS, an OV2Seg or
OVFormer without its CLIP, or a GenVIS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """A file at a URL."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file in a repository of a model hub, at a given revision."""

    repository: str
    revision: str | None  # None: the newest one; no checksum is known
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSource:
    """One published file."""

    part: Part
    location: WebFile | HubFile
    file_name: str  # local name until it is installed; unique among all sources
    sha256: str | None  # in hexadecimal; None if unknown
    md5_start: str | None  # first digits of the MD5 sum, as given in the published file name
    size_bytes: int | None  # None if unknown
    approximate_bytes: int  # estimate from the number of parameters, for display and to limit a download
    licence: str  # of the weights
    trained_on: str


CLIP_VIT_B_32: Final = WeightsSource(
    part="clip",
    location=HubFile(
        repository="timm/vit_base_patch32_clip_224.openai",
        revision="a6f597a30f7b82c51704746581f9a4e41421e878",
        path="open_clip_model.safetensors",
    ),
    file_name="openai_clip_vit_b_32.safetensors",
    sha256="e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
    md5_start=None,
    size_bytes=605_143_284,
    approximate_bytes=605_000_000,
    licence="MIT",
    trained_on="400 million images and captions of the web (unpublished)",
)
"""OpenAI's weights as published by open_clip: the values of the original file, but not pickled."""


def _mask2former(*, config: str, md5_start: str, num_parameters: int) -> WeightsSource:
    """Return the official COCO instance segmentation checkpoint of a configuration."""
    folder = "https://dl.fbaipublicfiles.com/maskformer/mask2former/coco/instance"
    return WeightsSource(
        part="proposals",
        location=WebFile(url=f"{folder}/maskformer2_{config}/model_final_{md5_start}.pkl"),
        file_name=f"mask2former_{config}_{md5_start}.pkl",
        sha256=None,
        md5_start=md5_start,
        size_bytes=None,
        approximate_bytes=4 * num_parameters,
        licence="CC BY-NC 4.0 (not for commercial use)",
        trained_on="COCO 2017 instances, 80 categories",
    )


MASK2FORMER_R50: Final = _mask2former(config="R50_bs16_50ep", md5_start="3c8ec9", num_parameters=43_970_000)
MASK2FORMER_SWIN_T: Final = _mask2former(
    config="swin_tiny_bs16_50ep", md5_start="86143f", num_parameters=47_400_000
)
MASK2FORMER_SWIN_B: Final = _mask2former(
    config="swin_base_IN21k_384_bs16_50ep", md5_start="83d103", num_parameters=106_900_000
)


def minvis_r50(data_set: str) -> WeightsSource:
    """Return the MinVIS authors' ResNet-50 checkpoint for a data set, named as in their file names."""
    file_name = f"minvis_{data_set}_R50.pth"
    return WeightsSource(
        part="proposals",
        location=HubFile(repository="deahuang/MinVIS-Model-Zoo", revision=None, path=file_name),
        file_name=file_name,
        sha256=None,
        md5_start=None,
        size_bytes=None,
        approximate_bytes=12 * 43_970_000,  # size not published; assumes weights and two optimizer moments
        licence="CC BY-NC-SA 4.0 (not for commercial use)",
        trained_on=f"COCO 2017 instances, then frames of {data_set}",
    )


def rf_detr_seg(size: str, *, num_parameters: int) -> WeightsSource:
    """RF-DETR-Seg of its authors in a size that they name, as the transformers library stores it."""
    return WeightsSource(
        part="rf-detr",
        location=HubFile(repository=f"Roboflow/rf-detr-seg-{size}", revision=None, path="model.safetensors"),
        file_name=f"rf_detr_seg_{size}.safetensors",
        sha256=None,
        md5_start=None,
        size_bytes=None,
        approximate_bytes=4 * num_parameters,
        licence="Apache-2.0",
        trained_on="COCO 2017 instances, 80 categories",
    )
