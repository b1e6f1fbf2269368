"""Figures of a measurement: medians, shares, frames per second, share of the matmul peak."""

from dataclasses import dataclass
from statistics import median, quantiles

from ovvis_cli.benchmarking.meter import Sample
from ovvis_cli.benchmarking.run import ALL_STAGES, NETWORK_STAGES, Measured
from ovvis_cli.console import JsonValue
from ovvis_cli.inference.profiler import StageName

_GIGA = 1e9
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFigures:
    """Figures of one stage, per frame."""

    name: StageName
    median_s: float
    spread_s: float  # interquartile range
    share: float  # of the summed time of all stages, [0, 1]
    flops: float | None  # None for stages without products and convolutions


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of one engine, made by `figures_of`."""

    stages: tuple[StageFigures, ...]
    frames_per_second: float
    flops_per_frame: float
    network_s: float  # all networks, per frame
    peak_share: float  # share of the measured matmul peak that the networks reach, [0, 1]
    other_share: float  # share of the summed stage time outside the networks


def figures_of(measured: Measured) -> Figures:
    """Compute the figures of a measurement."""
    per_stage = {name: _per_frame(measured.seconds[name]) for name in ALL_STAGES if name in measured.seconds}
    total_s = sum(per_stage.values())
    flops = {name: _per_frame(samples) for name, samples in measured.flops.items()}
    network_s = sum(per_stage[name] for name in NETWORK_STAGES if name in per_stage)
    network_flops = sum(flops.get(name, 0.0) for name in NETWORK_STAGES)
    return Figures(
        stages=tuple(
            _stage(name, measured.seconds[name], share=mean_s / total_s, flops=flops.get(name) or None)
            for name, mean_s in per_stage.items()
        ),
        frames_per_second=measured.num_frames / measured.analysis_s,
        flops_per_frame=sum(flops.values()),
        network_s=network_s,
        peak_share=network_flops / network_s / measured.matmul_peak_flops,
        other_share=1 - network_s / total_s,
    )


def rows_of(figures: Figures) -> list[tuple[str, str, str, str, str]]:
    """Return the cells of a table: stage, median, spread, share, operations."""
    return [
        (
            stage.name,
            f"{1000 * stage.median_s:.2f} ms",
            f"{1000 * stage.spread_s:.2f} ms",
            f"{100 * stage.share:.1f} %",
            "" if stage.flops is None else f"{stage.flops / _GIGA:.2f} GFLOP",
        )
        for stage in figures.stages
    ]


def lines_of(measured: Measured, figures: Figures) -> list[str]:
    """Return the lines below the table."""
    host, device = measured.host_peak_bytes, measured.device_peak_bytes
    memory = [
        f"{words} {size / _MIB:.0f} MiB" for words, size in (("host", host), ("device", device)) if size
    ]
    return [
        f"{figures.frames_per_second:.2f} frames/s without drawing,"
        f" {measured.num_instances / measured.num_frames:.1f} instances per frame",
        f"networks: {figures.flops_per_frame / _GIGA:.1f} GFLOP and {1000 * figures.network_s:.1f} ms,"
        f" {100 * figures.peak_share:.0f} % of the matmul peak"
        f" of {measured.matmul_peak_flops / _GIGA:.0f} GFLOP/s; the rest {100 * figures.other_share:.0f} %",
        f"peak memory: {', '.join(memory) or 'not reported'}; first batch {measured.first_batch_s:.2f} s",
    ]


def as_json(measured: Measured, figures: Figures) -> dict[str, JsonValue]:
    """Return one engine for the JSON file; times in seconds per frame, memory in bytes."""
    engine = measured.engine
    return {
        "model": engine.model.spec.name,
        "classifier": engine.classifier,
        "tracker": engine.tracker.name,
        "device": engine.device.type,
        "precision": engine.precision,
        "batch_size": measured.batch_size,
        "frame_hw": list(measured.frame_hw),
        "num_frames": measured.num_frames,
        "num_instances": measured.num_instances,
        "frames_per_second": figures.frames_per_second,
        "stages": {
            stage.name: {
                "median_s": stage.median_s,
                "spread_s": stage.spread_s,
                "share": stage.share,
                "flops": stage.flops,
            }
            for stage in figures.stages
        },
        "flops_per_frame": figures.flops_per_frame,
        "network_s": figures.network_s,
        "matmul_peak_flops": measured.matmul_peak_flops,
        "peak_share": figures.peak_share,
        "other_share": figures.other_share,
        "memory": {
            "host_peak_bytes": measured.host_peak_bytes,
            "device_peak_bytes": measured.device_peak_bytes,
        },
        "first_batch_s": measured.first_batch_s,
    }


def _stage(name: StageName, samples: list[Sample], *, share: float, flops: float | None) -> StageFigures:
    per_frame = [sample.amount / sample.num_frames for sample in samples]
    low, _, high = quantiles(per_frame, n=4) if len(per_frame) > 1 else (0.0, 0.0, 0.0)
    return StageFigures(name=name, median_s=median(per_frame), spread_s=high - low, share=share, flops=flops)


def _per_frame(samples: list[Sample]) -> float:
    return sum(sample.amount for sample in samples) / sum(sample.num_frames for sample in samples)
