"""`ovvis evaluate`: official metrics of a data set, for a model or a results file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ovvis_cli.choices import DEFAULT_BATCH_SIZE, DataSetName, SplitName
from ovvis_cli.commands.data_sets import homes, show_data_sets
from ovvis_cli.commands.options import (
    AdapterOption,
    BatchSizeOption,
    ClassifierOption,
    DeviceOption,
    JsonOption,
    MemoryWindowsOption,
    ModelOption,
    MomentumOption,
    OverwriteOption,
    PrecisionOption,
    QuietOption,
    RulesOption,
    ShortSideOption,
    TextEmbeddingsOption,
    TopKChosenOption,
    TopKFramesOption,
    TrackerOption,
    parse_memory_windows,
)
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.errors import AnnotationError, UsageError
from ovvis_cli.model_store.default_model import default_model

if TYPE_CHECKING:
    from ovvis_cli.data.catalog import DataSetFiles
    from ovvis_cli.evaluation.run import RunOptions
    from ovvis_cli.inference.engine import Engine


def evaluate(  # noqa: PLR0913  each option is a parameter
    *,
    dataset: Annotated[
        DataSetName | None,
        typer.Option("--dataset", help="Data set, with its rules, splits and folder layout."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder with the data set. Default: $OVVIS_DATA/NAME, datasets/NAME, or NAME in the data"
            " folder of the system.",
        ),
    ] = None,
    split: Annotated[SplitName, typer.Option("--split", help="Part of the data set.")] = "val",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for results and metrics."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="FILE", help="Score this results file; no model is run."),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option("--annotations", metavar="FILE", help="Ground truth, instead of that in --data."),
    ] = None,
    list_data_sets: Annotated[
        bool, typer.Option("--list", help="Only list the data sets, where they were found, and their splits.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N videos.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check whether the files are complete and valid.")
    ] = False,
    lenient: Annotated[
        bool,
        typer.Option("--lenient", help="Accept simple mistakes in files, as the official code does."),
    ] = False,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    rules: RulesOption = None,
    results_per_video: Annotated[
        int | None,
        typer.Option(
            "--results-per-video",
            min=1,
            metavar="N",
            help="List the best N (track, class) pairs of each video. Default: depends on --rules.",
        ),
    ] = None,
    tracker: TrackerOption = None,
    momentum: MomentumOption = None,
    top_k_frames: TopKFramesOption = None,
    top_k_chosen: TopKChosenOption = None,
    memory_windows: MemoryWindowsOption = None,
    classifier: ClassifierOption = None,
    short_side: ShortSideOption = None,
    text_embeddings: TextEmbeddingsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    batch_size: BatchSizeOption = DEFAULT_BATCH_SIZE,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Threads that decode frames.")] = 2,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Measure a model, or score a results file, with the official metrics of a data set."""
    console = Console(quiet=quiet, json=json)
    target = _Target(
        data_set=dataset, data=data, split=split, annotations=annotations, limit=limit, lenient=lenient
    )
    if list_data_sets:
        show_data_sets(console, data=data)
        return
    if check:
        _check(console, target=target)
        return
    if predictions is not None:
        _score(console, target=target, predictions=predictions, output=output, about={})
        return
    from ovvis_cli.evaluation.run import RunOptions
    from ovvis_cli.inference.engine import start_engine
    from ovvis_cli.inference.tracker_options import TrackerOptions
    from ovvis_cli.labelling.class_rows import read_text_embeddings

    files = target.files()
    options = RunOptions(
        output=output or Path("ovvis-evaluation") / f"{files.spec.name}-{split}",
        batch_size=batch_size,
        num_workers=workers,
        overwrite=overwrite,
        max_results=results_per_video,
        text_embeddings=None if text_embeddings is None else read_text_embeddings(text_embeddings),
    )
    engine = start_engine(
        model or default_model(),
        adapter=adapter,
        device=device,
        precision=precision,
        tracker=TrackerOptions(
            name=tracker,
            momentum=momentum,
            num_frames=top_k_frames,
            num_chosen=top_k_chosen,
            memory_windows=None if memory_windows is None else parse_memory_windows(memory_windows),
        ),
        classifier=classifier,
        rules=rules or "published",
        short_side=short_side,
    )
    _run(console, target=target, files=files, engine=engine, options=options)


class _Target(NamedTuple):
    """Data set options of the command."""

    data_set: "DataSetName | None"
    data: Path | None
    split: "SplitName"
    annotations: Path | None
    limit: int | None
    lenient: bool

    def files(self) -> "DataSetFiles":
        """Locate the split on disk, in `--data` or in a default folder.

        Raises:
            UsageError: the options do not name a data set.
            AnnotationError: the split is not found, or incomplete.
        """
        from ovvis_cli.data.catalog import DATA_SETS, find_files
        from ovvis_cli.data.homes import locate_data_set

        if self.data_set is None:
            raise UsageError(
                "--dataset is missing",
                hint="`ovvis evaluate --list` shows the data sets;"
                " or give --annotations FILE --predictions FILE",
            )
        spec = DATA_SETS[self.data_set]
        if self.data is not None:
            return find_files(spec, self.data, split=self.split)
        return locate_data_set(spec, split=self.split, homes=homes())

    def truth(self) -> Path:
        """Return the annotation file. Raises UsageError if there is none."""
        if self.annotations is not None:
            return self.annotations
        found = self.files().annotations
        if found is None:
            raise UsageError("this split has no annotations", hint="give a file with --annotations")
        return found


def _run(
    console: Console,
    *,
    target: _Target,
    files: "DataSetFiles",
    engine: "Engine",
    options: "RunOptions",
) -> None:
    """Run the model, then score its results or pack them for the evaluation server."""
    from ovvis_cli.data.index import load_index
    from ovvis_cli.evaluation.run import protocol_for, run_data_set

    index = load_index(files, annotations=target.annotations).first(target.limit)
    num_frames = sum(video.num_frames for video in index.videos.values())
    with console.text_progress() as on_prompts:
        protocol = protocol_for(files, index, engine=engine, options=options, on_prompts=on_prompts)
    with console.progress(files.spec.title, total=num_frames) as progress:
        outcome = run_data_set(files, index, protocol=protocol, options=options, on_frames=progress.advance)
    info = engine.model_info
    about: dict[str, JsonValue] = {
        "model": {"name": info.name, "weights_sha256": info.weights_sha256, **engine.settings},
        "num_frames": outcome.num_frames,
        "seconds_per_frame": outcome.seconds_per_frame,
    }
    if index.has_ground_truth:
        _score(console, target=target, predictions=outcome.results, output=options.output, about=about)
        for path in outcome.others:
            console.write(str(path))
    else:
        _show_archives(console, target=target, results=outcome.results, archives=outcome.others, about=about)


def _score(
    console: Console,
    *,
    target: _Target,
    predictions: Path,
    output: Path | None,
    about: Mapping[str, JsonValue],
) -> None:
    """Score a results file; if the ground truth is private, check and pack it for the evaluation server."""
    from ovvis_cli.data.ground_truth import NoGroundTruthError
    from ovvis_cli.evaluation.report import metrics_json, score_tables, write_metrics
    from ovvis_cli.evaluation.session import ScoringRequest, pack_results, score_files

    request = ScoringRequest(
        annotations=target.truth(),
        predictions=predictions,
        data_set=target.data_set,
        limit=target.limit,
        lenient=target.lenient,
    )
    try:
        with console.progress("scoring", total=None, unit="classes") as progress:
            scored = score_files(request, on_class=progress.update)
    except NoGroundTruthError:
        if output is None:
            raise
        archives = pack_results(request, folder=output)
        _show_archives(console, target=target, results=predictions, archives=archives, about=about)
        return
    numbers: dict[str, JsonValue] = {
        "data_set": target.data_set,
        "split": target.split,
        "num_videos": scored.num_videos,
        "num_objects": scored.num_objects,
        "num_predictions": scored.num_predictions,
    }
    content = metrics_json(scored.sections, about={**numbers, **about})
    for section in scored.sections:
        for table in score_tables(section):
            console.table(table.columns, table.rows, title=table.title)
    if output is not None:
        console.write(str(write_metrics(output, content)))
    console.emit(content)


def _show_archives(
    console: Console,
    *,
    target: _Target,
    results: Path,
    archives: Sequence[Path],
    about: Mapping[str, JsonValue],
) -> None:
    from ovvis_cli.data.catalog import DATA_SETS

    server = DATA_SETS[target.data_set].server if target.data_set is not None else ""
    console.note(
        f"no metrics: the ground truth is private; submit to {server or 'the server of the data set'}"
    )
    for path in archives:
        console.write(str(path))
    files: list[JsonValue] = [str(path) for path in archives]
    console.emit(
        {
            "data_set": target.data_set,
            "split": target.split,
            "results": str(results),
            "submissions": files,
            **about,
        }
    )


def _check(console: Console, *, target: _Target) -> None:
    """Show what is missing or malformed. Raises AnnotationError if an evaluation would fail or be wrong."""
    from ovvis_cli.data.check import check_data_set

    files = target.files()
    with console.progress("checking", total=None, unit="videos") as progress:
        findings = list(check_data_set(files, annotations=target.annotations, on_video=progress.update))
    for finding in findings:
        console.write(f"{'error' if finding.is_serious else 'note'}: {finding.where}: {finding.what}")
    serious = sum(finding.is_serious for finding in findings)
    entries: list[JsonValue] = [
        {"where": finding.where, "what": finding.what, "is_serious": finding.is_serious}
        for finding in findings
    ]
    console.emit({"data_set": target.data_set, "split": target.split, "findings": entries})
    if serious:
        raise AnnotationError(f"{files.spec.title}, split {target.split}: {serious} errors in the files")
    console.write(f"{files.spec.title}, split {target.split}: complete")
