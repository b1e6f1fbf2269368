"""A batch on Ray: one actor per worker, one video per task. The only module that imports Ray.

Frames never travel: a task is the path of a video, and its worker reads the video and writes the results, so
all machines must see both folders at the same paths. The driver hands a video to a worker as soon as it is
free. A worker that dies is replaced, and its video, which resumes at its last checkpoint, goes to the next
free worker. Stopping the driver stops all workers; the same command then does what is left.
"""

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ovvis_cli.batch.many_inputs import Done, Failed
from ovvis_cli.batch.one_video import VideoRun
from ovvis_cli.batch.ray_worker import RayWorkerOptions, Worker
from ovvis_cli.batch.request import SegmentRequest
from ovvis_cli.errors import OvvisError, ResourceError, UsageError
from ovvis_cli.video.inputs import Source
from ovvis_cli.video.location import Location

logger = logging.getLogger(__name__)

LOCAL: Final = "local"
AUTO: Final = "auto"
_POLL_S: Final = 1.0
_MAX_DEATHS: Final = 4  # of workers at one video, which then counts as failed
_MAX_RAY_STARTS: Final = 4
_MAX_FAILED_STARTS: Final = 3  # of one worker in a row
_CORES_PER_WORKER: Final = 4  # without GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """Where the workers run, and how many there are. None means that the cluster decides."""

    address: str  # "local", "auto", or that of a cluster
    num_workers: int | None
    gpus_per_worker: float | None
    worker: RayWorkerOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the workers have done so far."""

    num_videos: int
    num_frames: int


@dataclass(slots=True, kw_only=True)
class _Slot:
    """A worker and what it is doing; after the worker died, its replacement."""

    actor: Any
    starting: Any  # reference of the answer of `start`; None once it is there
    task: Any = None  # reference of the answer of `segment`
    source: Source | None = None
    counting: Any = None  # reference of the answer of `num_frames`
    num_frames: int = 0  # of this actor
    num_failed_starts: int = 0


@dataclass(slots=True, kw_only=True)
class _Cluster:
    """The workers of one batch."""

    make_actor: Callable[[], Any]
    slots: list[_Slot] = field(default_factory=list)
    num_frames_of_the_dead: int = 0

    def new_slot(self) -> None:
        actor = self.make_actor()
        self.slots.append(_Slot(actor=actor, starting=actor.start.remote()))

    def replace_actor(self, slot: _Slot) -> None:
        self.num_frames_of_the_dead += slot.num_frames
        slot.actor = self.make_actor()
        slot.starting = slot.actor.start.remote()
        slot.task = slot.source = slot.counting = None
        slot.num_frames = 0


def process_with_ray(
    sources: Sequence[Source],
    request: SegmentRequest,
    *,
    options: RayOptions,
    on_start: Callable[[Source], None],
    on_progress: Callable[[Progress], None],
) -> Generator[Done[VideoRun] | Failed, None, None]:
    """Segment videos on the workers of a Ray cluster, and yield each outcome as soon as it is there.

    Args:
        sources: the videos.
        request: what to do with each of them.
        options: the cluster, its workers, and where they write.
        on_start: called before a video is handed to a worker.
        on_progress: called about once a second.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.
        ResourceError: Ray cannot be started, the cluster has too few GPUs, or no worker can be started.
        OvvisError: the workers cannot load the model or embed the names.
    """
    with _connected(options.address) as ray:
        cluster = _Cluster(make_actor=_actor_maker(ray, request, options=options))
        try:
            for _ in range(min(_num_workers(ray, options), len(sources))):
                cluster.new_slot()
            yield from _outcomes(ray, cluster, deque(sources), on_start=on_start, on_progress=on_progress)
        finally:
            for slot in cluster.slots:
                ray.kill(slot.actor)


def _outcomes(
    ray: Any,  # noqa: ANN401  a module
    cluster: _Cluster,
    waiting: deque[Source],
    *,
    on_start: Callable[[Source], None],
    on_progress: Callable[[Progress], None],
) -> Iterator[Done[VideoRun] | Failed]:
    deaths: Counter[Location] = Counter()
    num_videos = 0
    while waiting or any(slot.task is not None for slot in cluster.slots):
        for slot in cluster.slots:
            if waiting and slot.starting is None and slot.task is None:
                slot.source = waiting.popleft()
                on_start(slot.source)
                slot.task = slot.actor.segment.remote(_with_absolute_path(slot.source))
        pending = {slot.task or slot.starting: slot for slot in cluster.slots}
        pending.pop(None, None)
        ready, _ = ray.wait(list(pending), timeout=_POLL_S)
        for reference in ready:
            slot = pending[reference]
            if slot.task is None:
                _finish_start(ray, cluster, slot)
            else:
                outcome = _finish_task(ray, cluster, slot, deaths=deaths)
                if isinstance(outcome, Source):
                    waiting.appendleft(outcome)
                else:
                    num_videos += 1
                    yield outcome
        _count_frames(ray, cluster)
        num_frames = cluster.num_frames_of_the_dead + sum(slot.num_frames for slot in cluster.slots)
        on_progress(Progress(num_videos=num_videos, num_frames=num_frames))


def _finish_start(ray: Any, cluster: _Cluster, slot: _Slot) -> None:  # noqa: ANN401
    """Take the answer of `start`; replace a worker that died on the way.

    Raises:
        OvvisError: the worker cannot load the model.
        ResourceError: the last worker failed to start several times in a row.
    """
    try:
        error = ray.get(slot.starting)
    except ray.exceptions.RayError as died:
        slot.num_failed_starts += 1
        if slot.num_failed_starts < _MAX_FAILED_STARTS:
            cluster.replace_actor(slot)
            return
        cluster.slots.remove(slot)
        logger.warning("a worker cannot be started: %s", _first_line(died))
        if not cluster.slots:
            raise ResourceError(
                f"no worker can be started: {_first_line(died)}",
                hint="ovvis must be installed on every machine of the cluster, in the same version",
            ) from died
        return
    if error is not None:
        raise error
    slot.starting, slot.num_failed_starts = None, 0


def _finish_task(
    ray: Any,  # noqa: ANN401
    cluster: _Cluster,
    slot: _Slot,
    *,
    deaths: Counter[Location],
) -> Done[VideoRun] | Failed | Source:
    """Return the outcome of a video; the video itself if its worker died and another one shall try."""
    source, task = slot.source, slot.task
    assert source is not None, "a slot with a task has a source"
    try:
        outcome: Done[VideoRun] | Failed = ray.get(task)
    except ray.exceptions.RayTaskError as defect:
        slot.task = slot.source = None
        cause = f"{type(defect.cause).__name__}: {defect.cause}"
        return Failed(source=source, error=OvvisError(f"{source.location}: internal error of ovvis: {cause}"))
    except ray.exceptions.RayError as died:
        deaths[source.location] += 1
        logger.warning("%s: its worker died (%s)", source.location, _first_line(died))
        cluster.replace_actor(slot)
        if deaths[source.location] < _MAX_DEATHS:
            return source
        message = f"{source.location}: {_MAX_DEATHS} workers died while working on it"
        return Failed(source=source, error=ResourceError(message, hint="probably too little memory"))
    slot.task = slot.source = None
    return replace(outcome, source=source)  # with the path as it was given


def _count_frames(ray: Any, cluster: _Cluster) -> None:  # noqa: ANN401
    """Take the frame counts that have arrived, and ask the working actors for the next ones."""
    for slot in cluster.slots:
        if slot.counting is not None and ray.wait([slot.counting], timeout=0)[0]:
            try:
                slot.num_frames = ray.get(slot.counting)
            except ray.exceptions.RayError:
                logger.debug("no count from a worker that died")  # seen again when its task is finished
            slot.counting = None
        if slot.counting is None and slot.task is not None:
            slot.counting = slot.actor.num_frames.remote()


def _actor_maker(
    ray: Any,  # noqa: ANN401
    request: SegmentRequest,
    *,
    options: RayOptions,
) -> Callable[[], Any]:
    num_gpus = _gpus_per_worker(ray, options, request=request)
    num_cpus = max(1, int(ray.cluster_resources().get("CPU", 1)) // _num_workers(ray, options))
    actor_class = ray.remote(Worker).options(
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        max_concurrency=2,  # `num_frames` answers while `segment` is running
        max_restarts=0,  # the driver replaces actors: it knows which video each one had
        max_task_retries=0,
    )
    return lambda: actor_class.remote(request, options=options.worker)


def _num_workers(ray: Any, options: RayOptions) -> int:  # noqa: ANN401
    """Return the given number of workers; by default one per GPU, or one per four cores without GPUs."""
    if options.num_workers is not None:
        return options.num_workers
    resources = ray.cluster_resources()
    num_gpus = resources.get("GPU", 0)
    if num_gpus and options.gpus_per_worker != 0:
        return max(1, int(num_gpus / (options.gpus_per_worker or 1)))
    return max(1, int(resources.get("CPU", 1)) // _CORES_PER_WORKER)


def _gpus_per_worker(ray: Any, options: RayOptions, *, request: SegmentRequest) -> float:  # noqa: ANN401
    """Return the given number of GPUs; by default one if there are any and the request does not exclude it.

    Raises:
        ResourceError: the cluster has fewer GPUs.
    """
    in_cluster = ray.cluster_resources().get("GPU", 0)
    if options.gpus_per_worker is None:
        return 1 if in_cluster and request.device != "cpu" else 0
    if options.gpus_per_worker > in_cluster:
        raise ResourceError(
            f"--gpus-per-worker {options.gpus_per_worker:g}: the cluster has {in_cluster:g} GPUs",
            hint="give a smaller number, 0 for none",
        )
    return options.gpus_per_worker


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine, for the duration of the block."""
    ray = _ray()
    same = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address != LOCAL:
        try:
            ray.init(address=address, **same)
        except (ConnectionError, ValueError, RuntimeError) as error:
            if address != AUTO:
                raise UsageError(
                    f"--ray {address}: no cluster there ({_first_line(error)})",
                    hint="give local for workers on this machine only",
                ) from error
    if not ray.is_initialized():
        _start_here(ray, **same)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start_here(ray: Any, **options: Any) -> None:  # noqa: ANN401
    """Start Ray on this machine. Ray gives itself 30 s, too little on a busy machine, so try repeatedly.

    Raises:
        ResourceError: it cannot be started.
    """
    for attempts_left in reversed(range(_MAX_RAY_STARTS)):
        try:
            ray.init(address=LOCAL, include_dashboard=False, **options)
            return
        except Exception as error:  # Ray raises plain exceptions
            ray.shutdown()
            if attempts_left == 0:
                raise ResourceError(
                    f"Ray cannot be started on this machine: {_first_line(error)}",
                    hint="is the machine overloaded, or its temporary folder full?",
                ) from error


def _ray() -> Any:  # noqa: ANN401
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise UsageError("--ray needs the package ray", hint='pip install "ovvis[ray]"') from error
    return ray


def _with_absolute_path(source: Source) -> Source:
    """Return the source as workers find it: they do not run in the current folder."""
    if not source.location.is_local:
        return source
    return replace(source, location=replace(source.location, text=str(source.location.path.absolute())))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
