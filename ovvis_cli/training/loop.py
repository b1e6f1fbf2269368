"""Training loop, shared by all stages; a stage provides a network, numbered samples and a loss.

A sample is a pure function of its number, so a resumed run sees the same samples as an uninterrupted one,
whatever the number of workers.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from ovvis_cli.training.checkpoint import load_checkpoint, save_checkpoint

Sample = TypeVar("Sample")
Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Length, batch size and optimizer settings of a stage. Durations are in steps."""

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_norm: float
    average_decay: float
    seed: int
    workers: int

    def rate(self, step: int) -> float:
        """Return the learning-rate factor at `step`: linear warm-up, then half a cosine down to 1 %."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[Sample, Batch]):
    """One training stage: network, samples, losses and schedule."""

    name: str
    model: nn.Module
    draw: Callable[[int], Sample]
    collate: Callable[[list[Sample]], Batch]
    losses: Callable[[Batch], dict[str, Tensor]]  # already weighted; their sum is minimised
    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """Progress after one training step."""

    stage: str
    step: int
    steps: int
    losses: dict[str, Tensor]  # on the device; reading them synchronises
    seconds_per_step: float


class _Samples(Dataset[Sample]):
    """Samples `first`, `first + 1`, ... of a stage."""

    def __init__(self, draw: Callable[[int], Sample], *, first: int, last: int) -> None:
        self._draw, self._first, self._last = draw, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> Sample:
        return self._draw(self._first + index)


def fit(
    stage: Stage[Sample, Batch],
    *,
    checkpoint: Path,
    on_step: Callable[[StepReport], None],
    save_every_s: float = 120.0,
) -> None:
    """Train `stage.model` from its checkpoint or from the start, then load the averaged weights into it."""
    schedule = stage.schedule
    trained = [value for value in stage.model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(
        _groups(trained, schedule.weight_decay), lr=schedule.learning_rate, fused=True
    )
    moving = get_ema_multi_avg_fn(schedule.average_decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(stage.model, multi_avg_fn=moving)
    torch.manual_seed(schedule.seed)
    first = 0
    if checkpoint.is_file():
        first = load_checkpoint(checkpoint, model=stage.model, average=average, optimizer=optimizer)
    stage.model.train()
    saved_at = started_at = time.monotonic()
    for step, batch in enumerate(_batches(stage, first), start=first):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * schedule.rate(step)
        losses = stage.losses(batch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, schedule.gradient_norm)
        optimizer.step()
        average.update_parameters(stage.model)
        now = time.monotonic()
        on_step(
            StepReport(
                stage=stage.name,
                step=step + 1,
                steps=schedule.steps,
                losses={name: value.detach() for name, value in losses.items()},
                seconds_per_step=(now - started_at) / (step + 1 - first),
            )
        )
        if now - saved_at > save_every_s:
            save_checkpoint(
                checkpoint, step=step + 1, model=stage.model, average=average, optimizer=optimizer
            )
            saved_at = now
    if first < schedule.steps:
        save_checkpoint(
            checkpoint, step=schedule.steps, model=stage.model, average=average, optimizer=optimizer
        )
    stage.model.load_state_dict(average.module.state_dict())


def _groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Return parameter groups: weight decay for matrices, none for biases, norms, tokens and positions."""
    matrices = [value for value in parameters if value.squeeze().ndim >= 2]
    others = [value for value in parameters if value.squeeze().ndim < 2]
    groups: list[dict[str, object]] = [{"params": matrices, "weight_decay": weight_decay}]
    return [*groups, {"params": others, "weight_decay": 0.0}] if others else groups


def _batches(stage: Stage[Sample, Batch], first_step: int) -> DataLoader[Batch]:
    size = stage.schedule.batch_size
    samples = _Samples(stage.draw, first=first_step * size, last=stage.schedule.steps * size)
    return _loader(samples, batch_size=size, collate=stage.collate, workers=stage.schedule.workers)


def drawn(draw: Callable[[int], Sample], *, first: int, last: int, workers: int) -> Iterator[Sample]:
    """Yield samples `first` to `last` - 1 in order, prefetched by `workers` processes (0: no prefetching)."""
    return iter(
        _loader(_Samples(draw, first=first, last=last), batch_size=None, collate=None, workers=workers)
    )


def _loader(
    samples: _Samples[Sample],
    *,
    batch_size: int | None,
    collate: Callable[[list[Sample]], Batch] | None,
    workers: int,
) -> DataLoader[Batch]:
    return DataLoader(
        samples,  # type: ignore[arg-type]
        batch_size=batch_size,
        collate_fn=collate or _identity,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_use_one_thread,
    )


def _identity(sample: Sample) -> Sample:
    return sample


def _use_one_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
