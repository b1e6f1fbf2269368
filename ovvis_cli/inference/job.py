"""Job: one video with all settings that affect its masks and tracks."""

import hashlib
import logging
import math
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ovvis_cli.choices import DEFAULT_BATCH_SIZE
from ovvis_cli.errors import UsageError
from ovvis_cli.inference.engine import Engine
from ovvis_cli.record.identity import fingerprint, names_digest, source_stamp
from ovvis_cli.record.schema import AnalysedRange, SettingValue, SourceInfo
from ovvis_cli.video.inputs import images_of
from ovvis_cli.video.location import Location, parse_location
from ovvis_cli.video.reader import ReadReport, VideoInfo, probe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseOptions:
    """Frames to analyse, and the batch size."""

    start_s: float = 0.0
    end_s: float | None = None
    stride: int = 1
    rate: Fraction | None = None  # frames per second of images and raw streams
    batch_size: int = DEFAULT_BATCH_SIZE
    live: bool = False  # skip frames of a stream instead of falling behind

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is not valid", hint="give 1 or more")
        if self.rate is not None and self.rate <= 0:
            raise UsageError(f"--fps {self.rate} is not valid", hint="give a number above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One video to be analysed by one engine. Created by `plan_job`."""

    location: Location
    info: VideoInfo
    source: SourceInfo
    engine: Engine
    options: AnalyseOptions
    session: int | None  # distinguishes recordings of one stream; None for sources that can be read again

    @property
    def frame_hw(self) -> tuple[int, int]:
        """Size of the first frame, and of all analysed frames except in a folder of images."""
        return self.info.height, self.info.width

    @property
    def rate(self) -> Fraction | None:
        """Given frames per second, if the source has no time stamps."""
        return self.info.average_rate if self.info.rate_origin == "given" else None

    @property
    def settings(self) -> dict[str, SettingValue]:
        """Settings that affect masks or tokens, even by rounding."""
        settings = common_settings(self.engine, self.options)
        if self.rate is not None:
            settings["fps"] = str(self.rate)
        if self.session is not None:
            settings["session"] = self.session
        return settings

    @property
    def fingerprint(self) -> str:
        """Hash that is equal for runs with the same masks."""
        return fingerprint(source=self.source, model=self.engine.model_info, settings=self.settings)

    @property
    def num_frames_estimate(self) -> int | None:
        """Expected number of analysed frames, from the header of the source; None if unknown."""
        info, options = self.info, self.options
        if info.num_frames_estimate is None:
            return None
        share = 1.0
        if info.duration_s:
            end_s = min(info.duration_s, options.end_s or info.duration_s)
            share = max(0.0, end_s - options.start_s) / info.duration_s
        return math.ceil(share * info.num_frames_estimate / options.stride)

    def source_after(self, report: ReadReport) -> SourceInfo:
        """Return the source with the information that is known after reading it."""
        if self.info.kind == "images":
            num_frames = (
                self.info.num_frames_estimate
            )  # counted in the folder: skipped images are not decoded
        else:
            num_frames = report.frames_decoded if self.options.end_s is None else None
        return replace(
            self.source,
            num_frames=num_frames,
            damage=report.message() or None,
            damaged_images=tuple(report.damaged_images),
        )

    def analysed(self, num_frames: int) -> AnalysedRange:
        """Return the analysed range, with this number of frames."""
        options = self.options
        return AnalysedRange(
            start_s=options.start_s, end_s=options.end_s, stride=options.stride, num_frames=num_frames
        )


def common_settings(engine: Engine, options: AnalyseOptions) -> dict[str, SettingValue]:
    """Return the settings of a job that do not depend on its video."""
    return {
        **engine.settings,
        "numbers": hashlib.sha256(repr(engine.model.spec).encode()).hexdigest()[:16],
        "batch_size": options.batch_size,
        "start_s": options.start_s,
        "end_s": options.end_s,
        "stride": options.stride,
    }


def plan_job(
    location: str | Path | Location,
    *,
    engine: Engine,
    options: AnalyseOptions | None = None,
    recorded_as: str | None = None,
) -> Job:
    """Probe a video and return its job. `recorded_as` is the path in the record, for a copy of the video.

    Raises:
        VideoError: the video cannot be opened, or no frame can be decoded.
    """
    options, location = options or AnalyseOptions(), parse_location(location)
    info = probe(location, rate=options.rate)
    _warn_of_assumptions(location, info, options=options)
    return Job(
        location=location,
        info=info,
        source=_source_info(location, info, recorded_as=recorded_as),
        engine=engine,
        options=options,
        session=time.time_ns() if info.kind == "stream" else None,
    )


def _warn_of_assumptions(location: Location, info: VideoInfo, *, options: AnalyseOptions) -> None:
    """Log warnings about assumptions and about parts of the source that are not read."""
    name = location.display_name
    if info.rate_origin == "assumed" and info.num_frames_estimate != 1:
        logger.warning(
            "%s: no frame rate is stated, so %s frames per second are assumed (set it with --fps)",
            name,
            info.average_rate,
        )
    if options.rate is not None and info.rate_origin == "time stamps" and info.kind != "stream":
        logger.warning("%s: has time stamps, so --fps is ignored", name)
    if info.left_out:
        logger.warning("%s: %s", name, info.left_out)


def _source_info(location: Location, info: VideoInfo, *, recorded_as: str | None) -> SourceInfo:
    size_bytes, modified_ns = source_stamp(location.path) if location.is_local else (None, None)
    return SourceInfo(
        path=recorded_as or (str(location.path.absolute()) if location.is_local else location.text),
        kind=info.kind,
        width=info.width,
        height=info.height,
        size_bytes=size_bytes,
        modified_ns=modified_ns,
        num_frames=None,
        duration_s=info.duration_s,
        average_rate=None if info.average_rate is None else str(info.average_rate),
        rotation_deg=info.rotation_deg,
        has_audio=info.has_audio,
        damage=None,
        image_names=_names_digest(location.path) if info.kind == "images" else None,
    )


def _names_digest(path: Path) -> str:
    return names_digest(image.name for image in images_of(path))
