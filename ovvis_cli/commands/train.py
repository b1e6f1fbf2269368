"""`ovvis train`: training of an embedded model with its packaged recipe."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.choices import STAGE_NAMES, StageName
from ovvis_cli.commands.options import DeviceOption, QuietOption
from ovvis_cli.console import Console, Progress
from ovvis_cli.errors import UsageError

if TYPE_CHECKING:
    from ovvis_cli.training.loop import StepReport

_LOG_EVERY = 20  # steps


def train(  # noqa: PLR0913  each option is a parameter
    model: Annotated[str, typer.Argument(help="Model to train, one with a recipe, such as instformer-tiny.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for checkpoints and weights. [default: runs/MODEL]"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of photographs with masks, for models that are trained on them."),
    ] = None,
    stage: Annotated[
        list[str] | None,  # Typer takes no list of literals
        typer.Option(
            "--stage", help=f"Train only this stage, of {', '.join(STAGE_NAMES)}; repeatable. [default: all]"
        ),
    ] = None,
    budget: Annotated[
        float, typer.Option("--budget", help="Multiply the number of training samples by this factor.")
    ] = 1.0,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", min=1, help="Multiply the batch size by this factor and divide the steps by it."
        ),
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Processes that generate samples. [default: from the recipe]"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="CPU threads. [default: all cores]")
    ] = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Train a model; run the same command again to resume an interrupted training."""
    if budget <= 0:
        raise UsageError(f"--budget {budget} is not valid", hint="give a number above 0")
    import torch

    from ovvis_cli.inference.device import resolve_device
    from ovvis_cli.training.instformer import Run
    from ovvis_cli.training.recipe import Scale
    from ovvis_cli.training.training import load_training

    training = load_training(model, Scale(budget=budget, batch=batch, workers=workers), data=data)
    stages = tuple(_stage(name, training.stages) for name in stage) if stage else training.stages
    folder = output or Path("runs") / model
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("high")  # TF32 where the device has it
    console = Console(quiet=quiet)
    with console.progress(f"training {model}", total=None, unit="steps") as progress:
        run = Run(
            folder=folder,
            device=resolve_device(device),
            on_step=_step_logger(folder, progress),
            on_clip=lambda done, total: progress.update(done, total=total),
        )
        training.train(run, stages)
    if all(run.checkpoint(name).is_file() for name in training.stages):
        weights = folder / f"{model.replace('-', '_')}.safetensors"
        training.pack(run, weights)
        console.write(f"weights: {weights}")


def _stage(name: str, stages: Sequence[StageName]) -> StageName:
    for known in stages:
        if name == known:
            return known
    raise UsageError(f"--stage: unknown stage {name!r}", hint=f"choose from {', '.join(stages)}")


def _step_logger(folder: Path, progress: Progress) -> "Callable[[StepReport], None]":
    """Return a callback that shows progress and logs every `_LOG_EVERY`-th step to `train.log`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "train.log"

    def on_step(report: "StepReport") -> None:
        progress.update(report.step, total=report.steps)
        if report.step % _LOG_EVERY == 0 or report.step == report.steps:
            losses = " ".join(f"{name} {float(value):.4f}" for name, value in report.losses.items())
            line = (
                f"{report.stage} {report.step}/{report.steps} {report.seconds_per_step:.3f} s/step {losses}\n"
            )
            with log.open("a", encoding="utf-8") as file:
                file.write(line)

    return on_step
