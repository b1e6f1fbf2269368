"""Values of a record, the same in JSON and in memory.

`RecordHeader` is record.json, `FrameLine` one line of masks.jsonl. docs/record.md describes the files for
users. A change of meaning increases FORMAT_VERSION.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ovvis_cli.rle import Rle

FORMAT_VERSION: Final = 1
HEADER_NAME: Final = "record.json"
MASKS_NAME: Final = "masks.jsonl"
TOKENS_NAME: Final = "tokens.safetensors"
CHECKPOINT_NAME: Final = "checkpoint.safetensors"
FIXED_NAME: Final = "checkpoint-fixed"  # folder of what never changes in it

SourceKind = Literal["video", "images", "stream"]
SettingValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """The analysed video; width and height are upright, after rotation."""

    path: str  # absolute path, or the URL or device as given
    kind: SourceKind
    width: int
    height: int
    size_bytes: int | None  # of the file, or of all images; None for a stream
    modified_ns: int | None  # of the file, or of the newest image; None for a stream
    num_frames: int | None  # counted by decoding to the end; None where decoding stopped earlier (--end)
    duration_s: float | None
    average_rate: str | None  # a fraction, "30000/1001"; None where unknown
    rotation_deg: int
    has_audio: bool
    damage: str | None  # what could not be decoded, in words; None for an undamaged file
    damaged_images: tuple[str, ...] = ()  # unreadable images of a folder, by file name
    image_names: str | None = None  # digest of the file names of a folder of images, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedRange:
    """The frames that have a line in masks.jsonl: every `stride`-th one in [start_s, end_s)."""

    start_s: float
    end_s: float | None  # None: to the end
    stride: int
    num_frames: int  # lines in masks.jsonl


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """The weights that produced the record."""

    name: str
    weights_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyInfo:
    """The question asked and the rules for labels; equal values give equal labels."""

    names: tuple[str, ...]
    category_ids: tuple[int, ...]  # of each name in exports: the data set's own, or 1..K for the user's names
    distractors: bool  # whether the names also competed with a general vocabulary
    score_threshold: float  # lowest score of a label, [0, 1]
    max_tracks: int | None  # largest number of tracks with a label
    text_embeddings_sha256: str | None = None  # of embeddings given instead of the text encoder's


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """A name and its score in [0, 1]: class probability times object score."""

    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackLabel:
    """The label of one track for one vocabulary; `label` and `score` are None where no asked name won."""

    label: str | None
    score: float | None  # class probability times mean object score, [0, 1]
    runner_up: tuple[LabelScore, ...]  # the next best asked names, best first


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEntry:
    """One identity over the video; `label` and `score` are None where no asked name won."""

    track_id: int
    label: str | None
    score: float | None
    object_score: float  # mean over the frames where the track was seen, [0, 1]
    runner_up: tuple[LabelScore, ...]  # the next best asked names, best first
    first_frame: int
    last_frame: int
    first_time_s: float
    last_time_s: float
    num_frames: int  # analysed frames where the track was seen


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHeader:
    """Contents of record.json, without the format version."""

    fingerprint: str  # of source, weights and analysis settings; equal: same masks
    source: SourceInfo
    model: ModelInfo
    vocabulary: VocabularyInfo
    settings: Mapping[str, SettingValue]
    analysed: AnalysedRange
    saved: tuple[str, ...]  # export formats written beside the record; relabel writes them again
    tracks: tuple[TrackEntry, ...]

    @property
    def classifier(self) -> str | None:
        """The classifier that made the tokens, by the settings; None where they do not tell it."""
        classifier = self.settings.get("classifier")
        return classifier if isinstance(classifier, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLine:
    """One track in one frame."""

    track_id: int
    score: float  # object score in this frame, [0, 1]
    box_xywh: tuple[int, int, int, int]  # tight box of the mask [px]
    rle: Rle


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEntry:
    """The image file of a frame, if the source is a folder of images."""

    name: str  # without its folder
    size_hw: tuple[int, int]  # (height, width) upright [px]; that of the frame's masks


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLine:
    """One analysed frame, with or without instances."""

    frame_index: int
    time_s: float
    instances: tuple[InstanceLine, ...]
    image: ImageEntry | None = None  # None for the frame of a video
