"""Comparison of several measurements: each model, precision, batch size and classifier."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from ovvis_cli.benchmarking.report import Figures, figures_of
from ovvis_cli.benchmarking.run import Measured, measure
from ovvis_cli.benchmarking.workload import random_model
from ovvis_cli.inference.device import Precision, resolve_device, resolve_precision
from ovvis_cli.inference.engine import Engine, check_classifier, engine_of, start_engine
from ovvis_models.systems.spec import ClassifierName


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure: all combinations of these."""

    models: tuple[str, ...]
    compare: ClassifierName | None  # measured in addition to the model's own
    precisions: tuple[str, ...]  # values of `--precision`
    batch_sizes: tuple[int, ...]
    device: str  # value of `--device`
    random_weights: bool
    num_classes: int
    max_frames: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measurement with its figures."""

    measured: Measured
    figures: Figures
    load_s: float  # of the model, from disk to device

    @property
    def title(self) -> str:
        """Name of the measured case."""
        engine, (height, width) = self.measured.engine, self.measured.frame_hw
        crops = " (masked crops)" if self.measured.engine.classifier == "masked-crops" else ""
        return (
            f"{engine.model.spec.name}{crops}, {height}x{width}, {engine.device.type}, {engine.precision},"
            f" batch {self.measured.batch_size}"
        )


def measure_all(plan: Plan, *, video: Path) -> Iterator[Result]:
    """Yield the measurements one after another.

    Raises:
        OvvisError: raised by `start_engine` or `measure`.
    """
    device = resolve_device(plan.device)
    precisions = dict.fromkeys(resolve_precision(name, device) for name in plan.precisions)
    for name, precision in product(plan.models, precisions):
        start_s = time.perf_counter()
        engine = _engine(name, precision=precision, plan=plan)
        if plan.compare is not None:
            check_classifier(engine.model, plan.compare)
        load_s = time.perf_counter() - start_s
        classifiers = dict.fromkeys((engine.classifier, plan.compare or engine.classifier))
        for batch_size, classifier in product(plan.batch_sizes, classifiers):
            measured = measure(
                replace(engine, classifier=classifier),
                video=video,
                num_classes=plan.num_classes,
                batch_size=batch_size,
                max_frames=plan.max_frames,
            )
            yield Result(measured=measured, figures=figures_of(measured), load_s=load_s)


def ratios(results: list[Result]) -> list[str]:
    """Describe how much faster one pass is than masked crops, wherever both were measured."""
    by_title = {result.title: result for result in results}
    told = []
    for result in results:
        baseline = by_title.get(result.title.replace(",", " (masked crops),", 1))
        if baseline is not None:
            ratio = result.figures.frames_per_second / baseline.figures.frames_per_second
            told.append(f"{result.title}: one pass is {ratio:.2f} times as fast as masked crops")
    return told


def _engine(name: str, *, precision: Precision, plan: Plan) -> Engine:
    if not plan.random_weights:
        return start_engine(name, device=plan.device, precision=precision)
    return engine_of(random_model(name), device=resolve_device(plan.device), precision=precision)
