"""Everything that one `ovvis segment` asks of every video, as plain values.

A request can be sent to another process, and is kept in the results folder so that `ovvis batch retry` can
repeat it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovvis_cli.choices import (
    ClassifierName,
    DeviceName,
    ExportFormat,
    MemoryWindows,
    PrecisionName,
    RulesName,
    TrackerName,
)
from ovvis_cli.errors import RecordError
from ovvis_cli.vocabulary.names import Vocabulary

if TYPE_CHECKING:
    from ovvis_cli.inference.engine import Engine
    from ovvis_cli.inference.job import AnalyseOptions
    from ovvis_cli.labelling.class_query import ClassQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRequest:
    """Options of `ovvis segment` that hold for all videos. Paths are absolute."""

    vocabulary: Vocabulary
    text_embeddings: str | None
    distractors: bool
    score_threshold: float
    max_tracks: int | None
    formats: tuple[ExportFormat, ...]
    start_s: float
    end_s: float | None
    fps: str | None  # a fraction, such as "30000/1001"
    stride: int
    live: bool
    model: str  # a name of the catalog, or the path of a weights file
    adapter: str | None
    tracker: TrackerName | None
    momentum: float | None
    top_k_frames: int | None
    top_k_chosen: int | None
    memory_windows: MemoryWindows | None
    classifier: ClassifierName | None
    rules: RulesName
    short_side: int | None
    device: DeviceName
    precision: PrecisionName
    batch_size: int
    overwrite: bool

    @property
    def digest(self) -> str:
        """Short digest that is equal for equal requests."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the request as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> "SegmentRequest":
        """Return the request of a JSON object.

        Raises:
            RecordError: the object, from the file `where`, is of another version or damaged.
        """
        try:
            vocabulary: dict[str, Any] = {
                key: tuple(part) if isinstance(part, list) else part
                for key, part in value["vocabulary"].items()
            }
            fields = {**value, "vocabulary": Vocabulary(**vocabulary), "formats": tuple(value["formats"])}
            return cls(**fields)
        except (TypeError, KeyError, AttributeError) as error:
            raise RecordError(
                f"{where} is damaged or of another version of ovvis",
                hint="give the whole ovvis segment command again",
            ) from error


def analyse_options(request: SegmentRequest) -> "AnalyseOptions":
    """Return the frames to analyse and the batch size.

    Raises:
        UsageError: a value is out of range.
    """
    from ovvis_cli.inference.job import AnalyseOptions

    return AnalyseOptions(
        start_s=request.start_s,
        end_s=request.end_s,
        stride=request.stride,
        rate=None if request.fps is None else Fraction(request.fps),
        batch_size=request.batch_size,
        live=request.live,
    )


def request_engine(request: SegmentRequest) -> "Engine":
    """Load the model of a request. Raises as `start_engine` does."""
    from ovvis_cli.inference.engine import start_engine
    from ovvis_cli.inference.tracker_options import TrackerOptions

    return start_engine(
        request.model,
        adapter=None if request.adapter is None else Path(request.adapter),
        device=request.device,
        precision=request.precision,
        tracker=TrackerOptions(
            name=request.tracker,
            momentum=request.momentum,
            num_frames=request.top_k_frames,
            num_chosen=request.top_k_chosen,
            memory_windows=request.memory_windows,
        ),
        classifier=request.classifier,
        rules=request.rules,
        short_side=request.short_side,
    )


def request_query(
    request: SegmentRequest, engine: "Engine", *, progress: Callable[[int, int], None] | None = None
) -> "ClassQuery":
    """Embed the names of a request. Raises as `make_query` and `read_text_embeddings` do."""
    from ovvis_cli.labelling.class_query import make_query
    from ovvis_cli.labelling.class_rows import read_text_embeddings

    embeddings = request.text_embeddings
    return make_query(
        engine.model,
        request.vocabulary,
        distractors=request.distractors,
        score_threshold=request.score_threshold,
        max_tracks=request.max_tracks,
        text_embeddings=None if embeddings is None else read_text_embeddings(Path(embeddings)),
        progress=progress,
    )
