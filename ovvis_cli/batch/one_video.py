"""Segmentation of one video of a batch, with progress, live overlay and Ctrl-C handling."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ovvis_cli.console import Console, Progress
from ovvis_cli.exporters import DEFAULT_NAMES, VIDEO_FORMATS, ExportFormat
from ovvis_cli.exporters.live import LiveOverlay
from ovvis_cli.exporters.progress import video_progress
from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.job import AnalyseOptions, Job, plan_job
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.pipeline import AnalysedFrame, analyse, label_and_export
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import RecordHeader
from ovvis_cli.video.inputs import Source
from ovvis_cli.video.location import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options for every input of a run."""

    output: Path  # gets one folder per input
    formats: tuple[ExportFormat, ...]
    analysis: AnalyseOptions
    overwrite: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRun:
    """Result of one input."""

    header: RecordHeader
    folder: str  # of the record: a path, or an address such as s3://bucket/results/clip
    files: dict[ExportFormat, str]  # likewise
    num_analysed: int  # frames analysed in this run; 0 if an earlier run had finished
    analysis_s: float  # time for these frames in seconds
    export_s: float  # time for labels and exported files in seconds


def segment_video(
    source: Source,
    *,
    engine: Engine,
    query: ClassQuery,
    options: RunOptions,
    console: Console,
    on_step: Callable[[], None] | None = None,
    fetched: Location | None = None,
) -> VideoRun:
    """Analyse one input, or resume an earlier run of it, and export its files.

    `fetched` is a local copy of a source at an address; the record names the address.
    `on_step` is called after every analysed frame and every frame of `VIDEO_FORMATS`. An exception from it
    ends the work like Ctrl-C: a later call resumes there.

    Raises:
        OvvisError: what `plan_job`, `analyse` and `label_and_export` raise.
    """
    folder = options.output / source.name
    job = plan_job(
        fetched or source.location,
        engine=engine,
        options=options.analysis,
        recorded_as=None if fetched is None else source.location.text,
    )
    formats = _possible_formats(job, options=options, console=console)
    counter = _FrameCounter()
    with ExitStack() as stack:
        progress = stack.enter_context(console.progress(source.name, total=job.num_frames_estimate))
        overlay = (
            _live_overlay(job, folder=folder) if options.analysis.live and "overlay" in formats else None
        )
        if overlay is not None:
            stack.enter_context(overlay)
        stop = stack.enter_context(_stop_at_interrupt(console)) if job.info.kind == "stream" else None

        def on_frame(frame: AnalysedFrame) -> None:
            counter.see(frame, progress=progress)
            if on_step is not None:
                on_step()
            if overlay is not None and counter.is_whole:
                overlay.write(frame.frame, result=frame.result, labels=frame.labels)

        record = analyse(
            job, query=query, folder=folder, overwrite=options.overwrite, on_frame=on_frame, stop=stop
        )
    start_s = time.monotonic()
    record, files = _label_and_export(
        record,
        query=query,
        formats=formats,
        source=None if fetched is None else fetched.path,
        console=console,
        on_step=on_step,
    )
    return VideoRun(
        header=record.header,
        folder=str(record.folder),
        files={name: str(path) for name, path in files.items()},
        num_analysed=counter.num_seen,
        analysis_s=counter.elapsed_s,
        export_s=time.monotonic() - start_s,
    )


class _FrameCounter:
    """Counter of the frames of this run, and of their time."""

    def __init__(self) -> None:
        self.num_seen = 0
        self.is_whole = True  # False if an earlier, interrupted run analysed the first frames
        self._start_s = self._last_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return self._last_s - self._start_s

    def see(self, frame: AnalysedFrame, *, progress: Progress) -> None:
        if self.num_seen == 0 and frame.num_analysed > 1:
            self.is_whole = False
            progress.resume_at(frame.num_analysed - 1)
        self.num_seen += 1
        self._last_s = time.monotonic()
        progress.update(frame.num_analysed)


def _possible_formats(job: Job, *, options: RunOptions, console: Console) -> tuple[ExportFormat, ...]:
    """Return the formats without those that would need to read a stream twice."""
    left_out = VIDEO_FORMATS - {"overlay"} if options.analysis.live else VIDEO_FORMATS
    missing = [name for name in options.formats if name in left_out]
    if job.info.kind != "stream" or not missing:
        return options.formats
    live = " (with --live the overlay is drawn while reading)" if "overlay" in missing else ""
    console.warning(
        f"{job.location.display_name} cannot be read twice, so there will be no {' and no '.join(missing)}"
        f"{live}"
    )
    return tuple(name for name in options.formats if name not in missing)


def _live_overlay(job: Job, *, folder: Path) -> LiveOverlay:
    return LiveOverlay(
        folder / DEFAULT_NAMES["overlay"],
        frame_hw=job.frame_hw,
        source=None if job.info.kind == "stream" else job.location,
        start_s=job.options.start_s,
        end_s=job.options.end_s,
        sample_aspect=job.info.sample_aspect,
    )


@contextmanager
def _stop_at_interrupt(console: Console) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the stream; the second one ends the program."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only there can signals be caught
        yield stopped.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    console.note("Ctrl-C ends the recording and completes the result")
    try:
        yield stopped.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _label_and_export(
    record: Record,
    *,
    query: ClassQuery,
    formats: tuple[ExportFormat, ...],
    source: Path | None,
    console: Console,
    on_step: Callable[[], None] | None,
) -> tuple[Record, dict[ExportFormat, Path]]:
    missing = [name for name in formats if not (record.folder / DEFAULT_NAMES[name]).exists()]
    with video_progress(console, record=record, formats=missing) as show_frames:

        def on_frame(num_done: int) -> None:
            if show_frames is not None:
                show_frames(num_done)
            if on_step is not None:
                on_step()

        return label_and_export(record, query=query, formats=formats, source=source, video_progress=on_frame)
