"""Segmentation of a list of videos with one request: what `ovvis segment` and `ovvis batch retry` share."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ovvis_cli.batch.addresses import is_storage
from ovvis_cli.batch.estimate import estimate_batch
from ovvis_cli.batch.journal import Journal
from ovvis_cli.batch.many_inputs import Done, Failed, process_each, process_in_threads
from ovvis_cli.batch.one_video import VideoRun
from ovvis_cli.batch.ray_cluster import Progress, RayOptions, process_with_ray
from ovvis_cli.batch.ray_worker import RayWorkerOptions
from ovvis_cli.batch.request import SegmentRequest, request_engine, request_query
from ovvis_cli.batch.shards import Shard
from ovvis_cli.batch.store import result_store
from ovvis_cli.batch.watch import watch_folders
from ovvis_cli.batch.worker import BatchWorker, Places, run_options
from ovvis_cli.commands.batch_report import show_estimate
from ovvis_cli.commands.segment_report import as_json, conclude, show
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.exporters.report.index_page import write_index
from ovvis_cli.inference.engine import Engine
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.video.inputs import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RayPlan:
    """The cluster and its workers as given; None means that the cluster decides."""

    address: str
    workers: int | None
    gpus_per_worker: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How a batch is worked on."""

    places: Places
    shard: Shard | None = None
    jobs: int = 1
    watched: Sequence[Path] = ()  # folders whose new videos are taken too, without end
    ray: RayPlan | None = None
    dry_run: bool = False


def run_batch(
    planned: Sequence[Source], request: SegmentRequest, *, batch: BatchOptions, console: Console
) -> None:
    """Segment the shard of the planned videos, or estimate what that takes, and show the results.

    Raises:
        OvvisError: an input failed, or the request cannot be met.
    """
    places, shard = batch.places, batch.shard
    sources = [source for source in planned if shard is None or shard.holds(source.location)]
    if batch.dry_run:
        dry_run_sources(sources, request, output=Path(places.output), console=console)
        return
    is_batch = len(planned) > 1 or bool(shard or batch.watched or batch.ray)
    if not is_batch:
        segment_sources(sources, request, places=places, jobs=1, journal=None, console=console)
        return
    with Journal(result_store(places.output), request=request, shard=shard) as journal:
        journal.plan(planned)
        if batch.ray is not None:
            options = _ray_options(batch.ray, places=places)
            ray_sources(sources, request, places=places, options=options, journal=journal, console=console)
            return
        coming = _watched_sources(batch, journal=journal, console=console)
        segment_sources(
            coming if batch.watched else sources,
            request,
            places=places,
            jobs=batch.jobs,
            journal=journal,
            console=console,
        )


def segment_sources(
    sources: Iterable[Source | None],
    request: SegmentRequest,
    *,
    places: Places,
    jobs: int,
    journal: Journal | None,
    console: Console,
) -> None:
    """Segment videos in this process, `jobs` at a time, and show the results.

    Args:
        sources: the videos; None means no video at the moment.
        request: what to do with each of them.
        places: where results and scratch files go.
        jobs: videos at a time; all of them share one model.
        journal: notes the progress of a batch; None for a single input.
        console: where results and messages go.

    Raises:
        OvvisError: an input failed, or the request cannot be met.
    """
    options = run_options(request, output=places.output)
    engine, query = start(request, console=console)
    worker = BatchWorker(engine=engine, query=query, options=options, places=places)
    stop = threading.Event()

    def check_stop() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    def process(source: Source) -> VideoRun:
        if journal is not None:
            journal.running(source)
        return worker.segment(source, console=console, on_step=check_stop)

    if jobs == 1:
        outcomes = process_each(sources, process)
    else:
        outcomes = process_in_threads(sources, process, num_threads=jobs, stop=stop)
    report(outcomes, journal=journal, index_in=_index_folder(request, places=places), console=console)


def ray_sources(
    sources: Sequence[Source],
    request: SegmentRequest,
    *,
    places: Places,
    options: RayOptions,
    journal: Journal,
    console: Console,
) -> None:
    """Segment videos on a Ray cluster, and show the results as they come.

    Raises:
        OvvisError: an input failed, or there is no such cluster, or its workers cannot load the model.
    """
    with (
        console.progress("videos", total=len(sources), unit="videos") as videos,
        console.progress("frames", total=None) as frames,
    ):

        def on_progress(progress: Progress) -> None:
            videos.update(progress.num_videos)
            frames.update(progress.num_frames)

        outcomes = process_with_ray(
            sources,
            request,
            options=options,
            on_start=journal.running,
            on_progress=on_progress,
        )
        with closing(outcomes):
            index_in = _index_folder(request, places=places)
            report(outcomes, journal=journal, index_in=index_in, console=console)


def _index_folder(request: SegmentRequest, *, places: Places) -> Path | None:
    """Return the folder that gets an index page of the reports; none for an address."""
    return None if "report" not in request.formats or is_storage(places.output) else Path(places.output)


def _watched_sources(batch: BatchOptions, *, journal: Journal, console: Console) -> Iterator[Source | None]:
    """Yield the videos of the shard that appear in folders, without end; None after every pause."""
    console.note(f"watching {', '.join(map(str, batch.watched))}; Ctrl-C ends it")
    output = Path(batch.places.output)
    for source in watch_folders(batch.watched, output=output, on_new=journal.plan):
        if source is None or batch.shard is None or batch.shard.holds(source.location):
            yield source


def _ray_options(plan: RayPlan, *, places: Places) -> RayOptions:
    output = places.output if is_storage(places.output) else str(Path(places.output).absolute())
    return RayOptions(
        address=plan.address,
        num_workers=plan.workers,
        gpus_per_worker=plan.gpus_per_worker,
        worker=RayWorkerOptions(
            output=output, scratch=places.scratch.given_folder, scratch_gb=places.scratch.limit_gb
        ),
    )


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
    options = run_options(request, output=str(output))
    engine, query = start(request, console=console)
    with console.progress("opening", total=len(sources), unit="videos") as progress:
        estimate = estimate_batch(
            sources, engine=engine, query=query, options=options, on_video=progress.advance
        )
    show_estimate(estimate, output=output, console=console)
