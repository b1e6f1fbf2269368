"""`ovvis segment`: segment and track the named objects in videos."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.choices import DEFAULT_BATCH_SIZE
from ovvis_cli.commands.options import (
    AdapterOption,
    BatchSizeOption,
    ClassesFileOption,
    ClassesOption,
    ClassifierOption,
    DeviceOption,
    JsonOption,
    MaxTracksOption,
    MemoryWindowsOption,
    ModelOption,
    MomentumOption,
    NoDistractorsOption,
    OverwriteOption,
    PrecisionOption,
    QuietOption,
    RulesOption,
    ScoreThresholdOption,
    ShortSideOption,
    TextEmbeddingsOption,
    TopKChosenOption,
    TopKFramesOption,
    TrackerOption,
    VocabularyOption,
    parse_formats,
    parse_memory_windows,
    parse_rate,
    parse_time_s,
)
from ovvis_cli.console import Console
from ovvis_cli.exporters import DEFAULT_NAMES
from ovvis_cli.model_store.default_model import default_model

if TYPE_CHECKING:
    from ovvis_cli.batch.shards import Shard
    from ovvis_cli.video.inputs import Source

_BATCH = "Many videos"


def segment(  # noqa: PLR0913  each option is a parameter
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Videos, folders, image folders, URLs, camera numbers, or - for standard input.",
            show_default=False,
        ),
    ],
    *,
    classes: ClassesOption = None,
    classes_file: ClassesFileOption = None,
    vocabulary: VocabularyOption = None,
    text_embeddings: TextEmbeddingsOption = None,
    no_distractors: NoDistractorsOption = False,
    score_threshold: ScoreThresholdOption = 0.0,
    max_tracks: MaxTracksOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder in which one folder per input is created.")
    ] = Path("ovvis-out"),
    save: Annotated[
        str,
        typer.Option("--save", metavar="A,B,...", help=f"Files to export: {', '.join(DEFAULT_NAMES)}."),
    ] = "overlay,ytvis",
    start: Annotated[
        str, typer.Option("--start", metavar="TIME", help="Start time: seconds, or M:SS.")
    ] = "0",
    end: Annotated[
        str | None, typer.Option("--end", metavar="TIME", help="End time: seconds, or M:SS.")
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option("--fps", metavar="RATE", help="Frames per second of images and raw streams."),
    ] = None,
    stride: Annotated[int, typer.Option("--stride", min=1, help="Analyse only every N-th frame.")] = 1,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Write the overlay while reading, with provisional labels: for cameras and streams.",
        ),
    ] = False,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    tracker: TrackerOption = None,
    momentum: MomentumOption = None,
    top_k_frames: TopKFramesOption = None,
    top_k_chosen: TopKChosenOption = None,
    memory_windows: MemoryWindowsOption = None,
    classifier: ClassifierOption = None,
    rules: RulesOption = None,
    short_side: ShortSideOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    batch_size: BatchSizeOption = DEFAULT_BATCH_SIZE,
    overwrite: OverwriteOption = False,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Only part I (from 0) of N parts of the videos. Default: the task of a SLURM job array.",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", min=1, help="Videos at a time, in threads that share one model.", rich_help_panel=_BATCH
        ),
    ] = 1,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only estimate time and size, from the first frames of a few videos.",
            rich_help_panel=_BATCH,
        ),
    ] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Find, segment and track every object of the named categories."""
    from ovvis_cli.atomic import make_folder
    from ovvis_cli.batch.journal import Journal
    from ovvis_cli.batch.request import SegmentRequest
    from ovvis_cli.batch.shards import parse_shard
    from ovvis_cli.batch.store import LocalStore
    from ovvis_cli.inference.result_names import named_sources
    from ovvis_cli.vocabulary.names import resolve_vocabulary

    console = Console(quiet=quiet, json=json)
    names = resolve_vocabulary(classes=classes, classes_file=classes_file, table=vocabulary)
    formats = parse_formats(save, option="--save")
    start_s = parse_time_s(start, option="--start")
    end_s = None if end is None else parse_time_s(end, option="--end")
    rate = None if fps is None else parse_rate(fps, option="--fps")
    given_shard = None if shard is None else parse_shard(shard)
    make_folder(output)
    planned = named_sources(inputs, output=output)
    part = _chosen_shard(given_shard, planned, console=console)

    # Slow imports come after the checks of all arguments.
    from ovvis_cli.commands.segment_run import dry_run_sources, segment_sources

    request = SegmentRequest(
        vocabulary=names,
        text_embeddings=_absolute(text_embeddings),
        distractors=not no_distractors,
        score_threshold=score_threshold,
        max_tracks=max_tracks,
        formats=formats,
        start_s=start_s,
        end_s=end_s,
        fps=None if rate is None else str(rate),
        stride=stride,
        live=live,
        model=_model(model),
        adapter=_absolute(adapter),
        tracker=tracker,
        momentum=momentum,
        top_k_frames=top_k_frames,
        top_k_chosen=top_k_chosen,
        memory_windows=None if memory_windows is None else parse_memory_windows(memory_windows),
        classifier=classifier,
        rules=rules or "product",
        short_side=short_side,
        device=device,
        precision=precision,
        batch_size=batch_size,
        overwrite=overwrite,
    )
    sources = [source for source in planned if part is None or part.holds(source.location)]
    if dry_run:
        dry_run_sources(sources, request, output=output, console=console)
        return
    if len(planned) == 1 and part is None:
        segment_sources(sources, request, output=output, jobs=1, journal=None, console=console)
        return
    with Journal(LocalStore(output), request=request, shard=part) as journal:
        journal.plan(planned)
        segment_sources(sources, request, output=output, jobs=jobs, journal=journal, console=console)


def _chosen_shard(given: "Shard | None", planned: "Sequence[Source]", *, console: Console) -> "Shard | None":
    """Return the given shard; for several inputs in a SLURM job array, by default the shard of this task."""
    from ovvis_cli.batch.shards import shard_of_slurm

    if given is not None or len(planned) < 2:
        return given
    shard = shard_of_slurm(os.environ)
    if shard is not None:
        console.warning(
            f"this task of the SLURM array takes shard {shard} of the videos (--shard 0/1 for all of them)"
        )
    return shard


def _model(given: str | None) -> str:
    """Return the name of the model, or the absolute path of its file."""
    name = given or default_model()
    return str(Path(name).absolute()) if Path(name).is_file() else name


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
