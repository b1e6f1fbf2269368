"""The options that several commands share, and how their values are read."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from ovvis_cli.errors import UsageError
from ovvis_cli.exporters import DEFAULT_NAMES, ExportFormat

_VOCABULARY = "Vocabulary"
_OUTPUT = "Output"
_SPEED = "Speed and precision"

ClassesOption = Annotated[
    str | None,
    typer.Option(
        "--classes", "-c", help='Names of what to find, e.g. "dog,skateboard".', rich_help_panel=_VOCABULARY
    ),
]
ClassesFileOption = Annotated[
    Path | None,
    typer.Option("--classes-file", help="Text file with one name a line.", rich_help_panel=_VOCABULARY),
]
VocabularyOption = Annotated[
    str | None,
    typer.Option(
        "--vocabulary",
        metavar="NAME",
        help="Names of a data set: coco, lvis, lvvis, burst, ovis, ytvis2019, ytvis2021, uvo, diorama.",
        rich_help_panel=_VOCABULARY,
    ),
]
NoDistractorsOption = Annotated[
    bool,
    typer.Option(
        "--no-distractors",
        help="Let the names compete with each other only, not with a general vocabulary.",
        rich_help_panel=_VOCABULARY,
    ),
]
ScoreThresholdOption = Annotated[
    float,
    typer.Option(
        "--score-threshold", min=0.0, max=1.0, help="Least score of a labelled track.", rich_help_panel=_VOCABULARY
    ),
]
MaxTracksOption = Annotated[
    int | None,
    typer.Option("--max-tracks", min=1, help="Label no more than the best N tracks.", rich_help_panel=_VOCABULARY),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="A model of `ovvis models list`, or a .safetensors file. Default: the best one installed.",
    ),
]

Device = Literal["auto", "cpu", "cuda", "mps"]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda|mps", help="auto: a GPU where there is one.", rich_help_panel=_SPEED
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only warnings and errors.", rich_help_panel=_OUTPUT)
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout.", rich_help_panel=_OUTPUT)
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace results that are there.", rich_help_panel=_OUTPUT)
]


def parse_formats(text: str, *, option: str) -> tuple[ExportFormat, ...]:
    """The formats of a comma-separated list, each once, in order.

    Raises:
        UsageError: one is unknown, or there is none.
    """
    names = [name for name in (part.strip().lower() for part in text.split(",")) if name]
    if not names:
        raise UsageError(f"{option} names no format", hint=f"choose from {', '.join(DEFAULT_NAMES)}")
    for name in names:
        if name not in DEFAULT_NAMES:
            near = get_close_matches(name, DEFAULT_NAMES, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"{option}: no format {name!r}", hint=f"{meant}choose from {', '.join(DEFAULT_NAMES)}"
            )
    return tuple(cast(ExportFormat, name) for name in dict.fromkeys(names))
