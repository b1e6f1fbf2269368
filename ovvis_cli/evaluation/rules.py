"""The official evaluators of the YouTube-VIS family, each as one set of rules.

All of them match predicted to annotated tracks by the overlap of their masks over the whole video, and
average precision over ten thresholds. This file lists the differences; docs/evaluation.md explains their
effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

IOU_THRESHOLDS: Final = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
RECALL_POINTS: Final = tuple(float(value) for value in np.linspace(0.0, 1.0, 101))
MAX_PREDICTIONS: Final = (1, 10, 100)  # per video and class; AP uses the last

_SMALL, _LARGE, _ENDLESS = 128.0**2, 256.0**2, 1e10

RulesName = Literal["ytvis", "class-agnostic", "uvo", "ovis", "lvvis", "burst-papers", "burst-sound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRange:
    """A subset of the objects; the others are ignored. Both ends belong to it. `suffix` names its metrics.

    With `predictions_too`, unmatched predictions with an area outside the range are ignored.
    """

    suffix: str
    area: tuple[float, float] = (0.0, _ENDLESS)  # mean over the visible frames [px^2]
    occlusion: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorRules:
    """Rules of one official evaluator."""

    name: RulesName
    official_name: str
    by_category: bool = True
    relabel_predictions: bool = False  # set every prediction's class to 1 first (UVO's script)
    ignore_crowds: bool = True
    reuse_all: bool = False  # a found object may be found again: duplicates count as correct
    areas: Literal["file", "file-whole-pixels", "none"] = "file"
    zero_id_never_matches: bool = True
    ranges: tuple[ObjectRange, ...] = ()


ALL: Final = ObjectRange(suffix="")
_BY_SIZE: Final = (
    ALL,
    ObjectRange(suffix="s", area=(0.0, _SMALL)),
    ObjectRange(suffix="m", area=(_SMALL, _LARGE)),
    ObjectRange(suffix="l", area=(_LARGE, _ENDLESS)),
)
_BY_OCCLUSION: Final = (
    ObjectRange(suffix="_occ_light", occlusion=(0.0, 0.25)),
    ObjectRange(suffix="_occ_medium", occlusion=(0.25, 0.5)),
    ObjectRange(suffix="_occ_heavy", occlusion=(0.5, 1.0)),
)

_YTVIS: Final = EvaluatorRules(
    name="ytvis", official_name="YouTube-VIS API (ytvoseval.py of youtubevos/cocoapi)", ranges=_BY_SIZE
)
_BURST_PAPERS: Final = EvaluatorRules(
    name="burst-papers",
    official_name="BURST as in CLIP-VIS and OVFormer (tools/evaluate/burst.py): duplicates count as correct",
    ignore_crowds=False,
    reuse_all=True,
    areas="none",
    ranges=_BY_SIZE,
)

RULES: Final[Mapping[RulesName, EvaluatorRules]] = MappingProxyType(
    {
        rules.name: rules
        for rules in (
            _YTVIS,
            replace(
                _YTVIS,
                name="class-agnostic",
                official_name="YouTube-VIS API with useCats = 0",
                by_category=False,
            ),
            replace(
                _YTVIS,
                name="uvo",
                official_name="UVO v1.0 EvaluationAPI (class-agnostic: AP_c1 and AR_100 of OpenVIS)",
                by_category=False,
                relabel_predictions=True,
            ),
            replace(
                _YTVIS,
                name="ovis",
                official_name="OVIS API (oviseval.py of qjy981010/cocoapi)",
                ranges=_BY_SIZE + _BY_OCCLUSION,
            ),
            replace(
                _YTVIS,
                name="lvvis",
                official_name="LV-VIS (lvviseval.py of haochenheheda/LVVIS)",
                ignore_crowds=False,
                areas="file-whole-pixels",
            ),
            _BURST_PAPERS,
            replace(
                _YTVIS,
                name="burst-sound",
                official_name="YouTube-VIS API on BURST: each object found once, by any id",
                zero_id_never_matches=False,
            ),
        )
    }
)
