"""The names that options and functions accept, and defaults shared by both.

Imports neither torch nor anything else that is slow: `ovvis --help` needs these names too.
"""

from typing import Final, Literal, get_args

DEFAULT_BATCH_SIZE: Final = 4
"""Frames computed together."""

DEFAULT_SCRATCH_GB: Final = 20.0
"""Largest size of the videos in scratch space."""

TrackerName = Literal["rollout", "adjacent", "momentum", "top-k", "previous-frame", "propagation"]
ClassifierName = Literal["instclip", "masked-crops", "mask-pooling", "class-head", "query"]
MemoryWindows = int | Literal["all"]
RulesName = Literal["product", "published"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "fp32", "bf16", "fp16"]
ExportFormat = Literal[
    "overlay",
    "ytvis",
    "coco",
    "cvat",
    "yolo-seg",
    "label-studio",
    "rle",
    "csv",
    "mots",
    "mots-png",
    "davis",
    "burst",
    "report",
]
DataSetName = Literal["ytvis2019", "ytvis2021", "ytvis2022", "ovis", "burst", "lvvis", "uvo", "diorama"]
SplitName = Literal["train", "val", "test"]
TableName = Literal["coco", "lvis", "lvvis", "burst", "ovis", "ytvis2019", "ytvis2021", "uvo", "diorama"]
StageName = Literal[  # of training
    "clip", "proposals", "instclip", "rollout", "clipvis", "alignment", "photographs", "names", "windows"
]
DioramaSplit = Literal["train", "val"]
DioramaFormat = Literal["frames", "mp4"]

DEVICE_NAMES: Final[tuple[DeviceName, ...]] = get_args(DeviceName)
PRECISION_NAMES: Final[tuple[PrecisionName, ...]] = get_args(PrecisionName)
EXPORT_FORMATS: Final[tuple[ExportFormat, ...]] = get_args(ExportFormat)
DATA_SET_NAMES: Final[tuple[DataSetName, ...]] = get_args(DataSetName)
TABLE_NAMES: Final[tuple[TableName, ...]] = get_args(TableName)
STAGE_NAMES: Final[tuple[StageName, ...]] = get_args(StageName)

TRACKER_HELP: Final[dict[TrackerName, str]] = {
    "rollout": "a learned recurrent layer predicts each track's token (InstFormer)",
    "adjacent": "tokens of the last frame in which a track was seen",
    "momentum": "a running mean of each track's tokens",
    "top-k": "the most similar of the last frames' tokens (CLIP-VIS)",
    "previous-frame": "every query is matched to the previous frame's (MinVIS)",
    "propagation": "queries are carried from window to window, nothing is matched (GenVIS only)",
}
CLASSIFIER_HELP: Final[dict[ClassifierName, str]] = {
    "instclip": "all objects in one CLIP pass (InstFormer)",
    "masked-crops": "one CLIP pass per object, slow",
    "mask-pooling": "CLIP feature maps pooled inside the masks (CLIP-VIS)",
    "class-head": "a closed set of classes (MinVIS)",
    "query": "embeddings of the queries compared with the names (OV2Seg)",
}
RULES_HELP: Final[dict[RulesName, str]] = {
    "product": "select proposals, begin and end tracks",
    "published": "the protocol of the model's paper, where every query is a track over the whole video",
}
