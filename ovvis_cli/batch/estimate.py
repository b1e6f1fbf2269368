"""Estimate of the time and the disk space of a batch, from the first frames of a few of its videos."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ovvis_cli.batch.many_inputs import Failed
from ovvis_cli.batch.one_video import RunOptions, segment_video
from ovvis_cli.console import Console
from ovvis_cli.errors import as_ovvis_error
from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.job import Job, plan_job
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.record.reader import finished_header
from ovvis_cli.video.inputs import Source

_NUM_SAMPLES: Final = 3
_FRAMES_PER_SAMPLE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is left to do, and the speed and size that were measured on a sample of it."""

    num_videos: int
    num_done: int
    failures: tuple[Failed, ...]  # videos that cannot be opened
    num_unknown: int  # videos that do not state their length; not part of `num_frames`
    num_frames: int  # left to analyse, from the headers of the videos
    sample_frames: int
    sample_s: float  # analysis and exports
    sample_bytes: int  # record and exports

    @property
    def seconds(self) -> float | None:
        """Time for the rest, one video at a time; None without a sample."""
        return self.num_frames * self.sample_s / self.sample_frames if self.sample_frames else None

    @property
    def num_bytes(self) -> int | None:
        """Disk space for the rest; None without a sample."""
        return round(self.num_frames * self.sample_bytes / self.sample_frames) if self.sample_frames else None


def estimate_batch(
    sources: Sequence[Source],
    *,
    engine: Engine,
    query: ClassQuery,
    options: RunOptions,
    on_video: Callable[[], None],
) -> Estimate:
    """Open every video, segment the first frames of a few of them in a temporary folder, and extrapolate.

    The samples are spread evenly over the frame sizes. `on_video` is called after each video was opened.
    """
    left: list[tuple[Source, Job]] = []
    failures: list[Failed] = []
    num_done = 0
    for source in sources:
        try:
            job = plan_job(source.location, engine=engine, options=options.analysis)
        except Exception as raised:
            error = as_ovvis_error(raised)
            if error is None:
                raise
            failures.append(Failed(source=source, error=error))
        else:
            if finished_header(options.output / source.name, fingerprint=job.fingerprint) is None:
                left.append((source, job))
            else:
                num_done += 1
        on_video()
    frame_counts = [job.num_frames_estimate for _, job in left]
    frames, seconds, size = _measure(left, query=query, options=options)
    return Estimate(
        num_videos=len(sources),
        num_done=num_done,
        failures=tuple(failures),
        num_unknown=frame_counts.count(None),
        num_frames=sum(count for count in frame_counts if count is not None),
        sample_frames=frames,
        sample_s=seconds,
        sample_bytes=size,
    )


def _measure(
    left: Sequence[tuple[Source, Job]], *, query: ClassQuery, options: RunOptions
) -> tuple[int, float, int]:
    """Segment the samples; return the number of their frames, the time [s] and the size [bytes]."""
    by_size = sorted(left, key=lambda pair: pair[1].frame_hw[0] * pair[1].frame_hw[1])
    step = max(1, len(by_size) // _NUM_SAMPLES)
    num_frames, seconds, num_bytes = 0, 0.0, 0
    for source, job in by_size[step // 2 :: step][:_NUM_SAMPLES]:
        rate = float(job.info.average_rate or 25)
        end_s = options.analysis.start_s + _FRAMES_PER_SAMPLE * options.analysis.stride / rate
        analysis = replace(options.analysis, end_s=min(end_s, options.analysis.end_s or end_s))
        with tempfile.TemporaryDirectory(prefix="ovvis-estimate-") as folder:
            sample_options = replace(options, output=Path(folder), analysis=analysis)
            begin_s = time.monotonic()
            run = segment_video(
                source, engine=job.engine, query=query, options=sample_options, console=Console(quiet=True)
            )
            seconds += time.monotonic() - begin_s
            num_frames += run.num_analysed
            num_bytes += sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return num_frames, seconds, num_bytes
