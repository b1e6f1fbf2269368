"""The models that ovvis knows by name: one table of specs, without networks or weights.

name --find_spec--> ModelSpec --build--> networks with random weights      (systems/)
name or path --load--> LoadedModel --segmenter_for--> VideoSegmenter       (loading.py)
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ovvis_models.errors import UnknownModelError
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.systems.clip_vis_models import (
    CLIPVIS_CAMERA,
    CLIPVIS_CONVNEXT_B,
    CLIPVIS_R50,
    CLIPVIS_TINY,
)
from ovvis_models.systems.genvis_models import GENVIS_MODELS
from ovvis_models.systems.instformer_models import (
    INSTFORMER_R50,
    INSTFORMER_SWIN_B,
    INSTFORMER_SWIN_T,
    INSTFORMER_TINY,
    MINVIS_CLIP_R50,
)
from ovvis_models.systems.minvis_models import (
    MINVIS_R50_OVIS,
    MINVIS_R50_YTVIS2019,
    MINVIS_R50_YTVIS2021,
)
from ovvis_models.systems.ov2seg_models import (
    OV2SEG_R50,
    OVFORMER_LVVIS_R50,
    OVFORMER_LVVIS_SWIN_B,
    OVFORMER_R50,
    OVFORMER_SWIN_B,
    OVFORMER_TINY,
)
from ovvis_models.systems.rfdetr_models import (
    INSTFORMER_RFDETR_LARGE,
    INSTFORMER_RFDETR_MEDIUM,
    INSTFORMER_RFDETR_NANO,
    INSTFORMER_RFDETR_SMALL,
)
from ovvis_models.systems.spec import ModelSpec

_ENTRIES: Final[tuple[ModelSpec, ...]] = (
    INSTFORMER_TINY,
    INSTFORMER_RFDETR_NANO,
    INSTFORMER_RFDETR_SMALL,
    INSTFORMER_RFDETR_MEDIUM,
    INSTFORMER_RFDETR_LARGE,
    INSTFORMER_R50,
    INSTFORMER_SWIN_T,
    INSTFORMER_SWIN_B,
    MINVIS_CLIP_R50,
    MINVIS_R50_YTVIS2019,
    MINVIS_R50_YTVIS2021,
    MINVIS_R50_OVIS,
    CLIPVIS_TINY,
    OVFORMER_TINY,
    CLIPVIS_CAMERA,
    CLIPVIS_R50,
    CLIPVIS_CONVNEXT_B,
    OV2SEG_R50,
    OVFORMER_R50,
    OVFORMER_SWIN_B,
    OVFORMER_LVVIS_R50,
    OVFORMER_LVVIS_SWIN_B,
    *GENVIS_MODELS,
)

CATALOG: Final[Mapping[str, ModelSpec]] = MappingProxyType({spec.name: spec for spec in _ENTRIES})


def find_spec(name: str) -> ModelSpec:
    """Return the catalog's entry.

    Raises:
        UnknownModelError: when there is none of that name.
    """
    if name not in CATALOG:
        raise UnknownModelError(f"unknown model '{name}'", hint=f"models: {', '.join(sorted(CATALOG))}")
    return CATALOG[name]


def build(name: str) -> VideoNetwork:
    """Build the networks of a catalog entry with random weights, on the CPU.

    Raises:
        UnknownModelError: when there is no entry of that name.
    """
    return find_spec(name).build()
