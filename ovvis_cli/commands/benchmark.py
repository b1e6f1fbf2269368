"""`ovvis benchmark`: speed of a model, stage by stage."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from ovvis_cli import __version__
from ovvis_cli.choices import DEFAULT_BATCH_SIZE
from ovvis_cli.commands.options import (
    DeviceOption,
    QuietOption,
    parse_size_hw,
)
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.errors import VideoError
from ovvis_cli.model_store.default_model import default_model

if TYPE_CHECKING:
    from ovvis_cli.benchmarking.session import Result

T = TypeVar("T")

_DEFAULT_FRAMES = 16


def benchmark(  # noqa: PLR0913  each option is a parameter
    *,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME|PATH", help="Model to measure; repeatable."),
    ] = None,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights", help="Use random weights, without installing any; speed is the same."
        ),
    ] = False,
    compare: Annotated[
        Literal["masked-crops"] | None,
        typer.Option("--compare", help="Also measure one CLIP pass per masked crop, for comparison."),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", help="Measure on this file.", show_default="a generated video of --size"),
    ] = None,
    size: Annotated[
        str, typer.Option("--size", metavar="HEIGHTxWIDTH", help="Size of the generated video, in pixels.")
    ] = "480x854",
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames",
            min=1,
            help="Number of frames.",
            show_default=f"{_DEFAULT_FRAMES}, or the whole --video",
        ),
    ] = None,
    classes_count: Annotated[
        int, typer.Option("--classes-count", metavar="K", min=1, help="Number of classes.")
    ] = 482,
    device: DeviceOption = "auto",
    precision: Annotated[
        list[str] | None,
        typer.Option("--precision", help="auto, fp32, bf16 or fp16; repeatable.", show_default="auto"),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(
            "--batch-size",
            min=1,
            help="Frames per batch; repeatable.",
            show_default=str(DEFAULT_BATCH_SIZE),
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all measurements to this file.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Write a chart of the stages to this SVG file."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Measure the speed of each stage, and compare it with the limits of the machine."""
    start_s = time.perf_counter()
    console = Console(quiet=quiet)
    frame_hw = parse_size_hw(size, option="--size")
    _check_video(video)

    from ovvis_cli.atomic import write_text_atomic
    from ovvis_cli.benchmarking.machine import device_name
    from ovvis_cli.benchmarking.plot import bar_chart
    from ovvis_cli.benchmarking.session import Plan, Result, measure_all, ratios
    from ovvis_cli.benchmarking.workload import drawn_video
    from ovvis_cli.inference.device import resolve_device

    imports_s = time.perf_counter() - start_s
    plan = Plan(
        models=_unique(model, default=default_model()),
        compare=compare,
        precisions=_unique(precision, default="auto"),
        batch_sizes=_unique(batch_size, default=DEFAULT_BATCH_SIZE),
        device=device,
        random_weights=random_weights,
        num_classes=classes_count,
        max_frames=frames,
    )
    shown_device = device_name(resolve_device(device))
    results: list[Result] = []
    with TemporaryDirectory(prefix="ovvis-benchmark-") as folder:
        source = video or drawn_video(Path(folder), frame_hw=frame_hw, num_frames=frames or _DEFAULT_FRAMES)
        for result in measure_all(plan, video=source):
            results.append(result)
            _show(console, result, imports_s=imports_s)
    for line in ratios(results):
        console.write(line)
    if json_file is not None:
        value = _as_json(results, device=shown_device, imports_s=imports_s)
        write_text_atomic(json_file, json.dumps(value, indent=2, allow_nan=False) + "\n")
    if plot is not None:
        write_text_atomic(plot, bar_chart([(result.title, result.figures) for result in results]))


def _show(console: Console, result: "Result", *, imports_s: float) -> None:
    from ovvis_cli.benchmarking.report import lines_of, rows_of

    columns = ("stage", "median per frame", "spread", "share", "operations")
    console.table(columns, rows_of(result.figures), title=result.title)
    for line in lines_of(result.measured, result.figures):
        console.write(line)
    console.write(f"start-up: imports {imports_s:.1f} s, model {result.load_s:.1f} s")


def _as_json(results: "list[Result]", *, device: str, imports_s: float) -> dict[str, JsonValue]:
    from ovvis_cli.benchmarking.report import as_json

    return {
        "ovvis": __version__,
        "device": device,
        "imports_s": imports_s,
        "results": [
            {**as_json(result.measured, result.figures), "load_s": result.load_s} for result in results
        ],
    }


def _unique(given: Sequence[T] | None, *, default: T) -> tuple[T, ...]:
    return tuple(dict.fromkeys(given)) if given else (default,)


def _check_video(video: Path | None) -> None:
    if video is not None and not video.is_file():
        raise VideoError(
            f"--video {video}: the file does not exist", hint="omit it to measure on a generated video"
        )
