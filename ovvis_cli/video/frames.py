"""Results of reading a video: its description, its frames, and a report of what could not be read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from jaxtyping import UInt8

SourceKind = Literal["video", "images", "stream"]
RateOrigin = Literal["time stamps", "stated", "given", "assumed"]
RotationDeg = Literal[0, 90, 180, 270]
_MAX_NAMES_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """Description of a source from its header and first frame; counts and durations are estimates.

    Sizes are those of the upright frame in stored pixels: rotation is applied, the sample aspect ratio is not
    (an anamorphic video keeps its stored width). `kind` is "stream" if the source cannot be read twice.
    `rate_origin` says where frame times come from: time stamps, a rate that a raw stream states, a rate given
    by the caller, or an assumed rate.
    """

    width: int
    height: int
    duration_s: float | None
    num_frames_estimate: int | None  # for progress only; frames are counted by decoding
    average_rate: Fraction | None  # frames per second
    rate_origin: RateOrigin = "time stamps"
    sample_aspect: Fraction = Fraction(1)  # display width : height of an upright pixel
    time_base: Fraction | None  # unit of the source's time stamps, in seconds
    rotation_deg: RotationDeg  # clockwise, already applied to width and height
    has_audio: bool
    codec: str
    kind: SourceKind
    left_out: str = ""  # message about streams of the source that are not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One decoded frame: upright, 8-bit RGB, contiguous, owned by the receiver."""

    frame_index: int  # 0-based in decoded order of the whole source, independent of start and stride
    time_s: float  # from the start of the source; strictly increasing
    image: UInt8[np.ndarray, "H0 W0 3"]
    image_name: str | None = None  # file name of an image in a folder
    offset_s: Fraction = Fraction(0)  # `time_s` minus time stamp, in concatenated recordings


@dataclass(slots=True, kw_only=True)
class ReadReport:
    """Counts of read and lost frames, filled while frames are read; complete after the last frame."""

    frames_decoded: int = 0
    expected_frames: int | None = None  # by the header
    errors: int = 0  # packets or images that could not be decoded
    first_error: str = ""
    damaged_images: list[str] = field(default_factory=list)  # their file names
    lost_s: float = 0.0  # missing at the end, by the header's duration

    @property
    def damaged(self) -> bool:
        """Whether any part of the source was lost."""
        return self.errors > 0 or self.lost_s > 0

    def add_error(self, error: BaseException) -> None:
        """Count one undecodable packet or image."""
        self.errors += 1
        self.first_error = self.first_error or getattr(error, "strerror", None) or str(error)

    def add_damaged_image(self, name: str, error: BaseException) -> None:
        """Count an image file that cannot be read."""
        self.add_error(error)
        self.damaged_images.append(name)

    def message(self) -> str:
        """Return one line for the user, or "" if nothing was lost."""
        if not self.damaged:
            return ""
        expected = f" of {self.expected_frames}" if self.expected_frames else ""
        if self.damaged_images:
            shown = ", ".join(self.damaged_images[:_MAX_NAMES_SHOWN])
            num_others = len(self.damaged_images) - _MAX_NAMES_SHOWN
            others = f" and {num_others} more" if num_others > 0 else ""
            return f"{self.frames_decoded}{expected} images read, damaged: {shown}{others}"
        parts: Iterable[str] = (
            f"{self.errors} damaged {'packet' if self.errors == 1 else 'packets'} skipped"
            if self.errors
            else "",
            f"the last {self.lost_s:.1f} s are missing" if self.lost_s > 0 else "",
        )
        return f"{self.frames_decoded}{expected} frames decoded: " + ", ".join(part for part in parts if part)
