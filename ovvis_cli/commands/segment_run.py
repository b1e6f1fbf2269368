"""Segmentation of a list of videos with one request: what `ovvis segment` and `ovvis batch retry` share."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ovvis_cli.batch.estimate import estimate_batch
from ovvis_cli.batch.journal import Journal
from ovvis_cli.batch.many_inputs import Done, Failed, process_each, process_in_threads
from ovvis_cli.batch.one_video import RunOptions, VideoRun, segment_video
from ovvis_cli.batch.request import SegmentRequest, analyse_options, request_engine, request_query
from ovvis_cli.commands.batch_report import show_estimate
from ovvis_cli.commands.segment_report import as_json, conclude, show
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.exporters.report.index_page import write_index
from ovvis_cli.inference.engine import Engine
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.video.inputs import Source


def segment_sources(
    sources: Iterable[Source | None],
    request: SegmentRequest,
    *,
    output: Path,
    jobs: int,
    journal: Journal | None,
    console: Console,
) -> None:
    """Segment videos in this process, `jobs` at a time, and show the results.

    Args:
        sources: the videos; None means no video at the moment.
        request: what to do with each of them.
        output: the results folder.
        jobs: videos at a time; all of them share one model.
        journal: notes the progress of a batch; None for a single input.
        console: where results and messages go.

    Raises:
        OvvisError: an input failed, or the request cannot be met.
    """
    options = run_options(request, output=output)
    engine, query = start(request, console=console)
    stop = threading.Event()

    def check_stop() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    def process(source: Source) -> VideoRun:
        if journal is not None:
            journal.running(source)
        return segment_video(
            source, engine=engine, query=query, options=options, console=console, on_step=check_stop
        )

    if jobs == 1:
        outcomes = process_each(sources, process)
    else:
        outcomes = process_in_threads(sources, process, num_threads=jobs, stop=stop)
    index_in = output if "report" in request.formats else None
    report(outcomes, journal=journal, index_in=index_in, console=console)


def report(
    outcomes: Iterator[Done[VideoRun] | Failed],
    *,
    journal: Journal | None,
    index_in: Path | None,
    console: Console,
) -> None:
    """Note and show every outcome as it comes, write the index page of a folder, and conclude.

    Raises:
        OvvisError: an input failed.
    """
    failures: list[Failed] = []
    described: list[dict[str, JsonValue]] = []  # only with --json: memory must not grow with the batch
    num_inputs = 0
    for outcome in outcomes:
        num_inputs += 1
        if isinstance(outcome, Failed):
            failures.append(outcome)
        if console.json:
            described.append(as_json(outcome))
        if journal is not None:
            _note(outcome, journal=journal)
        show(outcome, console=console, is_only=journal is None)
    if index_in is not None:
        console.note(f"all results: {write_index(index_in)}")
    conclude(failures, described, num_inputs=num_inputs, console=console)


def run_options(request: SegmentRequest, *, output: Path) -> RunOptions:
    """Return the options for every video. Raises UsageError if a value is out of range."""
    return RunOptions(
        output=output,
        formats=request.formats,
        analysis=analyse_options(request),
        overwrite=request.overwrite,
    )


def start(request: SegmentRequest, *, console: Console) -> tuple[Engine, ClassQuery]:
    """Load the model and embed the names. Raises as `request_engine` and `request_query` do."""
    engine = request_engine(request)
    spec = engine.model.spec
    if spec.text_domain == "diorama":
        console.note(
            f"{spec.name} knows only the drawn world of the diorama;"
            " for camera footage use clipvis-camera, or `ovvis models pull instformer-rfdetr-medium`"
        )
    elif spec.text_domain == "photographs":
        console.note(
            f"{spec.name} finds few and large things of a list of words;"
            " for more, and for any words: `ovvis models pull instformer-rfdetr-medium`"
        )
    with console.text_progress() as progress:
        return engine, request_query(request, engine, progress=progress)


def _note(outcome: Done[VideoRun] | Failed, *, journal: Journal) -> None:
    if isinstance(outcome, Failed):
        journal.failed(outcome.source, outcome.error)
    else:
        journal.done(outcome.source, num_analysed=outcome.result.num_analysed, elapsed_s=outcome.elapsed_s)


def dry_run_sources(
    sources: Sequence[Source], request: SegmentRequest, *, output: Path, console: Console
) -> None:
    """Estimate the time and size of a batch, and show them.

    Raises:
        SomeInputsFailed: some videos cannot be opened.
        OvvisError: the request cannot be met.
    """
    options = run_options(request, output=output)
    engine, query = start(request, console=console)
    with console.progress("opening", total=len(sources), unit="videos") as progress:
        estimate = estimate_batch(
            sources, engine=engine, query=query, options=options, on_video=progress.advance
        )
    show_estimate(estimate, output=output, console=console)
