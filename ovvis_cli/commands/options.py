"""Options that several commands share, and the parsing of their values."""

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Annotated, cast

import typer

from ovvis_cli.choices import (
    CLASSIFIER_HELP,
    RULES_HELP,
    TABLE_NAMES,
    TRACKER_HELP,
    ClassifierName,
    DeviceName,
    ExportFormat,
    MemoryWindows,
    PrecisionName,
    RulesName,
    TrackerName,
)
from ovvis_cli.errors import UsageError
from ovvis_cli.exporters import DEFAULT_NAMES

_MAX_RATE = 1_000_000
_VOCABULARY = "Vocabulary"
_OUTPUT = "Output"
_METHOD = "Method"
_SPEED = "Speed and precision"
MANY_VIDEOS = "Many videos"


def _explained(meanings: Mapping[str, str]) -> str:
    """List each value of an option with its meaning, as help text."""
    return "; ".join(f"{name}: {meaning}" for name, meaning in meanings.items())


ClassesOption = Annotated[
    str | None,
    typer.Option(
        "--classes",
        "-c",
        help='Names of the objects to find, e.g. "dog,skateboard".',
        rich_help_panel=_VOCABULARY,
    ),
]
ClassesFileOption = Annotated[
    Path | None,
    typer.Option(
        "--classes-file",
        help="File with one name on each line, or a JSON or YAML list.",
        rich_help_panel=_VOCABULARY,
    ),
]
VocabularyOption = Annotated[
    str | None,
    typer.Option(
        "--vocabulary",
        metavar="NAME",
        help=f"Names of a data set: {', '.join(TABLE_NAMES)}.",
        rich_help_panel=_VOCABULARY,
    ),
]
NoDistractorsOption = Annotated[
    bool,
    typer.Option(
        "--no-distractors",
        help="Score the names only against each other, not against a general vocabulary.",
        rich_help_panel=_VOCABULARY,
    ),
]
ScoreThresholdOption = Annotated[
    float,
    typer.Option(
        "--score-threshold",
        min=0.0,
        max=1.0,
        help="Minimum score of a labelled track.",
        rich_help_panel=_VOCABULARY,
    ),
]
MaxTracksOption = Annotated[
    int | None,
    typer.Option("--max-tracks", min=1, help="Label at most the best N tracks.", rich_help_panel=_VOCABULARY),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="A model of `ovvis models list`, or a .safetensors file. Default: $OVVIS_MODEL, else the best"
        " installed one.",
        rich_help_panel=_METHOD,
    ),
]
AdapterOption = Annotated[
    Path | None,
    typer.Option(
        "--adapter",
        help="File of weights trained on top of the model: LoRA, tokens and rollout (.safetensors).",
        rich_help_panel=_METHOD,
    ),
]

DeviceOption = Annotated[
    DeviceName,
    typer.Option(
        "--device", help="Device. auto: the GPU if there is one, else the CPU.", rich_help_panel=_SPEED
    ),
]
PrecisionOption = Annotated[
    PrecisionName,
    typer.Option(
        "--precision", help="Precision. auto: bf16 if it is faster, else fp32.", rich_help_panel=_SPEED
    ),
]
BatchSizeOption = Annotated[
    int, typer.Option("--batch-size", min=1, help="Frames per batch.", rich_help_panel=_SPEED)
]
TrackerOption = Annotated[
    TrackerName | None,
    typer.Option(
        "--tracker",
        help=f"Tracker. {_explained(TRACKER_HELP)}. Default: that of the model.",
        rich_help_panel=_METHOD,
    ),
]
ClassifierOption = Annotated[
    ClassifierName | None,
    typer.Option(
        "--classifier",
        help=f"Classifier. {_explained(CLASSIFIER_HELP)}. Default: that of the model.",
        rich_help_panel=_METHOD,
    ),
]
RulesOption = Annotated[
    RulesName | None,
    typer.Option(
        "--rules",
        help=f"How proposals become tracks. {_explained(RULES_HELP)}.",
        rich_help_panel=_METHOD,
    ),
]
MomentumOption = Annotated[
    float | None,
    typer.Option(
        "--momentum",
        min=0.01,
        max=1.0,
        help="Weight of the newest frame in --tracker momentum. Default: 0.7.",
        rich_help_panel=_METHOD,
    ),
]
TopKFramesOption = Annotated[
    int | None,
    typer.Option(
        "--top-k-frames",
        min=1,
        help="Frames in the memory of --tracker top-k (T of CLIP-VIS). Default: 9.",
        rich_help_panel=_METHOD,
    ),
]
TopKChosenOption = Annotated[
    int | None,
    typer.Option(
        "--top-k-chosen",
        min=1,
        help="Best frames of that memory to match with (K of CLIP-VIS). Default: 3.",
        rich_help_panel=_METHOD,
    ),
]
MemoryWindowsOption = Annotated[
    str | None,
    typer.Option(
        "--memory-windows",
        metavar="N|all",
        help="Windows in the memory of --tracker propagation; later ones replace some in the middle."
        " Default: 256, and all with --rules published.",
        rich_help_panel=_METHOD,
    ),
]
ShortSideOption = Annotated[
    int | None,
    typer.Option(
        "--short-side",
        min=32,
        metavar="PIXELS",
        help="Shorter side in pixels to which frames are resized. Default: that of the model.",
        rich_help_panel=_METHOD,
    ),
]
TextEmbeddingsOption = Annotated[
    Path | None,
    typer.Option(
        "--text-embeddings",
        metavar="FILE",
        help="A .npy file with one row per class name, used instead of the model's text encoder.",
        rich_help_panel=_VOCABULARY,
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only warnings and errors.", rich_help_panel=_OUTPUT)
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout.", rich_help_panel=_OUTPUT)
]
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="FOLDER",
        help="Where videos and results of addresses are kept meanwhile. Default: in the user's cache.",
        rich_help_panel=MANY_VIDEOS,
    ),
]
ScratchSizeOption = Annotated[
    float,
    typer.Option(
        "--scratch-gb",
        min=0.001,
        help="Largest size in GB of the videos in --scratch.",
        rich_help_panel=MANY_VIDEOS,
    ),
]
JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs",
        min=1,
        help="Videos at a time, in threads that share one model.",
        rich_help_panel=MANY_VIDEOS,
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing results.", rich_help_panel=_OUTPUT)
]


def parse_formats(text: str, *, option: str) -> tuple[ExportFormat, ...]:
    """Parse a comma-separated list of formats, without duplicates, in order.

    Raises:
        UsageError: a format is unknown, or the list is empty.
    """
    names = [name for name in (part.strip().lower() for part in text.split(",")) if name]
    if not names:
        raise UsageError(f"{option} names no format", hint=f"choose from {', '.join(DEFAULT_NAMES)}")
    for name in names:
        if name not in DEFAULT_NAMES:
            near = get_close_matches(name, DEFAULT_NAMES, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"{option}: {name!r} is not a known format",
                hint=f"{meant}choose from {', '.join(DEFAULT_NAMES)}",
            )
    return tuple(cast(ExportFormat, name) for name in dict.fromkeys(names))


def parse_size_hw(text: str, *, option: str) -> tuple[int, int]:
    """Parse a height and width in pixels, such as "480x854".

    Raises:
        UsageError: the text is not such a size, or a side is zero.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise UsageError(
            f"{option}: '{text}' is not a valid size", hint="write HEIGHTxWIDTH, such as 240x432"
        )
    return int(match[1]), int(match[2])


def parse_memory_windows(text: str) -> MemoryWindows:
    """Parse a number of windows from 1, or "all".

    Raises:
        UsageError: the text is neither.
    """
    if text == "all":
        return "all"
    if re.fullmatch(r"[1-9]\d{0,8}", text) is None:
        raise UsageError(
            f"--memory-windows: {text!r} is not a number of windows", hint="give 1 or more, or all"
        )
    return int(text)


def parse_rate(text: str, *, option: str) -> Fraction:
    """Parse frames per second, such as "30", "29.97" or "30000/1001".

    Raises:
        UsageError: the text is not such a number, or not in (0, 1 000 000].
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _MAX_RATE:
        raise UsageError(f"{option}: {text!r} is not a frame rate", hint="such as 30, 29.97 or 30000/1001")
    return rate


def parse_time_s(text: str, *, option: str) -> float:
    """Parse a time, such as "75", "75.5", "1:15" or "0:01:15.5", and return seconds.

    Raises:
        UsageError: the text is not such a time.
    """
    parts = text.strip().split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [math.nan]
    is_time = len(parts) <= 3 and all(0 <= number < math.inf for number in numbers)
    if not is_time or any(number >= 60 for number in numbers[1:]):
        raise UsageError(
            f"{option}: {text!r} is not a valid time",
            hint="write seconds such as 75.5, or M:SS such as 1:15.5",
        )
    seconds = 0.0
    for number in numbers:
        seconds = 60 * seconds + number
    return seconds
