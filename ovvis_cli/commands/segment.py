"""`ovvis segment`: segment and track the named objects in videos."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli import __version__
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
    parse_rate,
    parse_time_s,
)
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.errors import exit_code_of
from ovvis_cli.model_store.default_model import default_model

if TYPE_CHECKING:
    from ovvis_cli.commands.segment_input import VideoRun
    from ovvis_cli.inference.many_inputs import Done, Failed
    from ovvis_cli.video.inputs import Source


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
        typer.Option(
            "--save", metavar="A,B,...", help="Files to export: overlay, ytvis, coco, rle, csv, mots, davis."
        ),
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
    classifier: ClassifierOption = None,
    rules: RulesOption = None,
    short_side: ShortSideOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    batch_size: BatchSizeOption = DEFAULT_BATCH_SIZE,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Find, segment and track every object of the named categories."""
    from ovvis_cli.atomic import make_folder
    from ovvis_cli.inference.many_inputs import process_each
    from ovvis_cli.inference.result_names import named_sources
    from ovvis_cli.vocabulary.names import resolve_vocabulary

    console = Console(quiet=quiet, json=json)
    names = resolve_vocabulary(classes=classes, classes_file=classes_file, table=vocabulary)
    formats = parse_formats(save, option="--save")
    start_s = parse_time_s(start, option="--start")
    end_s = None if end is None else parse_time_s(end, option="--end")
    rate = None if fps is None else parse_rate(fps, option="--fps")
    make_folder(output)
    sources = named_sources(inputs, output=output)

    # Slow imports come after the checks of all arguments.
    from ovvis_cli.commands.segment_input import RunOptions, segment_video
    from ovvis_cli.inference.engine import start_engine
    from ovvis_cli.inference.job import AnalyseOptions
    from ovvis_cli.inference.tracker_options import TrackerOptions
    from ovvis_cli.labelling.class_query import make_query
    from ovvis_cli.labelling.class_rows import read_text_embeddings

    analysis = AnalyseOptions(
        start_s=start_s, end_s=end_s, stride=stride, rate=rate, batch_size=batch_size, live=live
    )
    options = RunOptions(output=output, formats=formats, analysis=analysis, overwrite=overwrite)
    engine = start_engine(
        model or default_model(),
        adapter=adapter,
        device=device,
        precision=precision,
        tracker=TrackerOptions(
            name=tracker, momentum=momentum, num_frames=top_k_frames, num_chosen=top_k_chosen
        ),
        classifier=classifier,
        rules=rules or "product",
        short_side=short_side,
    )
    if engine.model.spec.text_domain == "diorama":
        console.note(
            f"{engine.model.spec.name} knows only the drawn world of the diorama;"
            " for camera footage use clipvis-camera, or `ovvis models pull instformer-rfdetr-medium`"
        )
    elif engine.model.spec.text_domain == "photographs":
        console.note(
            f"{engine.model.spec.name} finds few and large things of a list of words;"
            " for more, and for any words: `ovvis models pull instformer-rfdetr-medium`"
        )
    with console.text_progress() as progress:
        query = make_query(
            engine.model,
            names,
            distractors=not no_distractors,
            score_threshold=score_threshold,
            max_tracks=max_tracks,
            text_embeddings=None if text_embeddings is None else read_text_embeddings(text_embeddings),
            progress=progress,
        )

    def process(source: "Source") -> "VideoRun":
        return segment_video(source, engine=engine, query=query, options=options, console=console)

    outcomes: list[Done[VideoRun] | Failed] = []
    for outcome in process_each(sources, process):
        outcomes.append(outcome)
        _show(outcome, console=console, is_only=len(sources) == 1)
    _conclude(outcomes, console=console)


def _conclude(outcomes: "Sequence[Done[VideoRun] | Failed]", *, console: Console) -> None:
    """Show all failures, print the JSON object, and raise the error that sets the exit code."""
    from ovvis_cli.inference.many_inputs import Failed, raise_failures

    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    if failures and len(outcomes) > 1:
        rows = [(str(failure.source.location), str(failure.error)) for failure in failures]
        console.table(("failed", "error"), rows)
    console.emit({"ovvis": __version__, "inputs": [_as_json(outcome) for outcome in outcomes]})
    raise_failures(failures, num_inputs=len(outcomes))


def _show(outcome: "Done[VideoRun] | Failed", *, console: Console, is_only: bool) -> None:
    from ovvis_cli.exporters.summary import absent_text, summary_rows, summary_table
    from ovvis_cli.inference.many_inputs import Failed

    if isinstance(outcome, Failed):
        if not is_only:  # for a single input, the command ends with its error
            console.error(outcome.error)
        return
    run, source = outcome.result, outcome.source
    header = run.record.header
    if header.source.damage is not None:
        console.warning(f"{source.location}: {header.source.damage}")
    columns, rows = summary_table(header)
    title = (
        f"{source.location}: {_count(len(rows), 'track')} in {_count(header.analysed.num_frames, 'frame')}"
    )
    console.table(columns, rows, title=title, colors=[row.color for row in summary_rows(header)])
    absent = absent_text(header)
    if absent is not None:
        console.write(absent)
    for path in run.files.values():
        console.write(str(path))
    console.note(_effort(run, elapsed_s=outcome.elapsed_s))


def _effort(run: "VideoRun", *, elapsed_s: float) -> str:
    if run.num_analysed == 0:
        return "already analysed; add --overwrite to analyse it again"
    rate = run.num_analysed / run.analysis_s if run.analysis_s > 0 else 0.0
    return f"{_count(run.num_analysed, 'frame')} at {rate:.1f} frames/s, {elapsed_s:.1f} s in total"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _as_json(outcome: "Done[VideoRun] | Failed") -> dict[str, JsonValue]:
    from ovvis_cli.exporters.summary import summary_json
    from ovvis_cli.inference.many_inputs import Failed

    named: dict[str, JsonValue] = {"input": str(outcome.source.location), "name": outcome.source.name}
    if isinstance(outcome, Failed):
        error = outcome.error
        details: dict[str, JsonValue] = {
            "message": error.message,
            "hint": error.hint,
            "exit_code": exit_code_of(error),
        }
        return named | {"status": "failed", "error": details}
    run = outcome.result
    return named | {
        "status": "done" if run.num_analysed else "already done",
        "record": str(run.record.folder),
        "files": {name: str(path) for name, path in run.files.items()},
        "num_frames": run.record.header.analysed.num_frames,
        "damage": run.record.header.source.damage,
        "elapsed_s": round(outcome.elapsed_s, 3),
        **summary_json(run.record.header),
    }
