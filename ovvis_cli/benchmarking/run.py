"""Measurement of one engine on one video: how fast it is, and where the time goes.

Three passes over the same frames: one batch as warm-up, on whose first frame operations are counted; all
frames as in normal use, for frames per second; all frames again with stage timers, which on a GPU keep device
and host from overlapping.
"""

import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from torch.utils.flop_counter import FlopCounterMode

from ovvis_cli.benchmarking import machine
from ovvis_cli.benchmarking.meter import Meter, Sample
from ovvis_cli.benchmarking.workload import random_names
from ovvis_cli.exporters.overlay import export_overlay
from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.job import AnalyseOptions, Job, plan_job
from ovvis_cli.inference.profiler import StageName
from ovvis_cli.pipeline import analyse
from ovvis_cli.record.reader import Record
from ovvis_cli.video.reader import read_frames

NETWORK_STAGES: Final[tuple[StageName, ...]] = ("backbone", "pixel decoder", "query decoder", "classify")
ALL_STAGES: Final[tuple[StageName, ...]] = (
    "decode",
    "preprocess",
    *NETWORK_STAGES,
    "associate",
    "encode",
    "write",
    "checkpoint",
    "overlay",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Measurements of one engine on one video."""

    engine: Engine
    batch_size: int
    frame_hw: tuple[int, int]
    num_frames: int
    num_instances: int  # in all frames; association, encoding and drawing depend on it
    first_batch_s: float
    analysis_s: float  # for all frames, without stage timers; includes decoding, tracking and writing
    seconds: dict[StageName, list[Sample]]
    flops: dict[StageName, list[Sample]]  # of one batch
    matmul_peak_flops: float  # per second
    host_peak_bytes: int | None
    device_peak_bytes: int | None


def measure(
    engine: Engine,
    *,
    video: Path,
    num_classes: int,
    batch_size: int,
    max_frames: int | None = None,
) -> Measured:
    """Run the pipeline on a video, to its end or to `max_frames`, with `num_classes` random names.

    Raises:
        OvvisError: raised by `plan_job` or `analyse`.
    """
    query = random_names(engine.model, count=num_classes)
    spec, network = engine.model.spec, engine.model.network
    engine = replace(engine, model=replace(engine.model, network=spec.encoder(network, engine.classifier)))
    job = _job(video, engine=engine, batch_size=batch_size, max_frames=max_frames)
    machine.reset_device_peak(engine.device)
    first_batch_s, flops = _warm_up(job)
    clock = Meter(machine.stage_clock(engine.device))
    with TemporaryDirectory(prefix="ovvis-benchmark-") as folder:
        start_s = time.perf_counter()
        analyse(job, query=query, folder=Path(folder) / "free")
        analysis_s = time.perf_counter() - start_s
        with clock.listening(engine.model.network):
            record = analyse(job, query=query, folder=Path(folder) / "measured", profiler=clock)
        num_frames = record.header.analysed.num_frames
        with clock.stage("overlay", num_frames=num_frames):
            export_overlay(record, Path(folder) / "overlay.mp4")
        num_instances = _num_instances(record)
    return Measured(
        engine=engine,
        batch_size=batch_size,
        frame_hw=job.frame_hw,
        num_frames=num_frames,
        num_instances=num_instances,
        first_batch_s=first_batch_s,
        analysis_s=analysis_s,
        seconds=clock.samples,
        flops=flops,
        matmul_peak_flops=machine.matmul_peak_flops(engine.device, engine.precision),
        host_peak_bytes=machine.host_peak_bytes(),
        device_peak_bytes=machine.device_peak_bytes(engine.device),
    )


def _job(video: Path, *, engine: Engine, batch_size: int, max_frames: int | None) -> Job:
    end_s = None
    if max_frames is not None:
        rest = islice(read_frames(video), max_frames, None)
        following = next(rest, None)
        end_s = None if following is None else following.time_s
    return plan_job(str(video), engine=engine, options=AnalyseOptions(batch_size=batch_size, end_s=end_s))


def _warm_up(job: Job) -> tuple[float, dict[StageName, list[Sample]]]:
    """Return the seconds of the first batch, and its products and convolutions by torch's counter."""
    engine, segmenter = job.engine, job.engine.new_segmenter()
    images = [frame.image for frame in islice(read_frames(job.location), job.options.batch_size)]
    start_s = time.perf_counter()
    for first, window in enumerate(engine.encode(segmenter, images)):
        segmenter.step(window, [first])
    machine.synchronize(engine.device)
    first_batch_s = time.perf_counter() - start_s
    engine.model.network.requires_grad_(False)  # otherwise the counter looks for gradients
    counter = FlopCounterMode(display=False)
    meter = Meter(lambda _: float(counter.get_total_flops()))
    with counter, meter.listening(engine.model.network), meter.stage("preprocess", num_frames=len(images)):
        engine.encode(segmenter, images)
    return first_batch_s, meter.samples


def _num_instances(record: Record) -> int:
    return sum(len(line.instances) for line in record.frames())
