"""`ovvis segment`: segment and track the named objects in videos."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.choices import DEFAULT_BATCH_SIZE, DEFAULT_SCRATCH_GB
from ovvis_cli.commands.options import (
    MANY_VIDEOS,
    AdapterOption,
    BatchSizeOption,
    ClassesFileOption,
    ClassesOption,
    ClassifierOption,
    DeviceOption,
    JobsOption,
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
    ScratchOption,
    ScratchSizeOption,
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
from ovvis_cli.errors import UsageError
from ovvis_cli.exporters import DEFAULT_NAMES
from ovvis_cli.model_store.default_model import default_model

if TYPE_CHECKING:
    from ovvis_cli.batch.scratch import Scratch
    from ovvis_cli.batch.shards import Shard
    from ovvis_cli.video.inputs import Source


def segment(  # noqa: PLR0913  each option is a parameter
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Videos, folders, image folders, URLs, camera numbers, addresses such as s3://bucket/clips,"
            " or - for standard input.",
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
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder in which one folder per input is created; or an address such as s3://bucket/results.",
        ),
    ] = "ovvis-out",
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
            rich_help_panel=MANY_VIDEOS,
        ),
    ] = None,
    jobs: JobsOption = 1,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Also take the videos that appear in the folders from now on, until Ctrl-C.",
            rich_help_panel=MANY_VIDEOS,
        ),
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="[ADDRESS]",
            help="Work on a Ray cluster. Default: the one of this machine; if there is none, `local`, which"
            " starts one here.",
            rich_help_panel=MANY_VIDEOS,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Workers of --ray. Default: one per GPU, or one per 4 cores.",
            rich_help_panel=MANY_VIDEOS,
        ),
    ] = None,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            "--gpus-per-worker",
            min=0.0,
            help="GPUs per worker of --ray, such as 0.5. Default: 1 if there are any.",
            rich_help_panel=MANY_VIDEOS,
        ),
    ] = None,
    scratch: ScratchOption = None,
    scratch_gb: ScratchSizeOption = DEFAULT_SCRATCH_GB,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only estimate time and size, from the first frames of a few videos.",
            rich_help_panel=MANY_VIDEOS,
        ),
    ] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Find, segment and track every object of the named categories."""
    from ovvis_cli.batch.addresses import is_storage
    from ovvis_cli.batch.scratch import Scratch
    from ovvis_cli.batch.shards import parse_shard
    from ovvis_cli.batch.watch import check_watched
    from ovvis_cli.vocabulary.names import resolve_vocabulary

    console = Console(quiet=quiet, json=json)
    names = resolve_vocabulary(classes=classes, classes_file=classes_file, table=vocabulary)
    formats = parse_formats(save, option="--save")
    start_s = parse_time_s(start, option="--start")
    end_s = None if end is None else parse_time_s(end, option="--end")
    rate = None if fps is None else parse_rate(fps, option="--fps")
    given_shard = None if shard is None else parse_shard(shard)
    _check_combination(
        watch=watch,
        ray=ray is not None,
        json=json,
        dry_run=dry_run,
        several_jobs=jobs > 1,
        worker_options=workers is not None or gpus_per_worker is not None,
        addresses=any(map(is_storage, (output, *inputs))),
    )
    watched = check_watched(inputs) if watch else []
    scratch_space = Scratch(scratch, limit_gb=scratch_gb)
    planned = [] if watch else _planned(inputs, output=output, scratch=scratch_space)

    # Slow imports come after the checks of all arguments.
    from ovvis_cli.batch.request import SegmentRequest
    from ovvis_cli.batch.worker import Places
    from ovvis_cli.commands.segment_run import BatchOptions, RayPlan, run_batch

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
    batch = BatchOptions(
        places=Places(output=output, scratch=scratch_space),
        shard=given_shard if watch else _chosen_shard(given_shard, planned, console=console),
        jobs=jobs,
        watched=watched,
        ray=None if ray is None else RayPlan(address=ray, workers=workers, gpus_per_worker=gpus_per_worker),
        dry_run=dry_run,
    )
    run_batch(planned, request, batch=batch, console=console)


def _planned(inputs: "Sequence[str]", *, output: str, scratch: "Scratch") -> "list[Source]":
    """Return the videos of the inputs, each with the name of its result folder."""
    from ovvis_cli.atomic import make_folder
    from ovvis_cli.batch.addresses import is_storage
    from ovvis_cli.inference.result_names import named_sources

    if any(map(is_storage, inputs)):
        from ovvis_cli.batch.storage import expand_addresses

        inputs = expand_addresses(inputs)
    folder = scratch.pipes_folder if is_storage(output) else Path(output)
    make_folder(folder)
    return named_sources(inputs, output=folder)


def _check_combination(
    *,
    watch: bool,
    ray: bool,
    json: bool,
    dry_run: bool,
    several_jobs: bool,
    worker_options: bool,
    addresses: bool,
) -> None:
    """Raise UsageError for options that exclude each other."""
    excluded = {
        "--watch and --ray": watch and ray,
        "--watch and --json": watch and json,  # one object at the end, which never comes
        "--watch and --dry-run": watch and dry_run,
        "--ray and --jobs": ray and several_jobs,
        "--watch and addresses such as s3://": watch and addresses,
        "--dry-run and addresses such as s3://": dry_run and addresses,
    }
    for options, is_given in excluded.items():
        if is_given:
            raise UsageError(f"{options} exclude each other", hint="give one of them")
    if worker_options and not ray:
        raise UsageError("--workers and --gpus-per-worker are options of --ray", hint="add --ray")


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
