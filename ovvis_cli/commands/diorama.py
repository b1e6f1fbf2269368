"""`ovvis diorama`: render a data set, or one video, of the procedural world."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.choices import DioramaFormat, DioramaSplit
from ovvis_cli.commands.options import parse_size_hw
from ovvis_cli.console import Console
from ovvis_cli.errors import UsageError

if TYPE_CHECKING:
    from ovvis_cli.diorama.kinds.kind import Kind
    from ovvis_cli.diorama.textures import Texture
    from ovvis_cli.diorama.writer import World


def diorama(  # noqa: PLR0913  each option is a parameter
    output: Annotated[Path, typer.Argument(help="Folder to write to.", show_default=False)],
    *,
    split: Annotated[DioramaSplit, typer.Option(help="train: base kinds only; val: all kinds.")] = "val",
    videos: Annotated[int, typer.Option(min=1, help="Number of videos.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same videos.")] = 7,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH in pixels.")] = "240x432",
    frames: Annotated[int, typer.Option(min=1, help="Frames per video, at 12 frames per second.")] = 24,
    video_format: Annotated[DioramaFormat, typer.Option("--format", help="JPEG frames or MP4.")] = "frames",
    kinds: Annotated[str | None, typer.Option(help="Only these kinds, separated by commas.")] = None,
    photographs: Annotated[
        Path | None,
        typer.Option(
            help="Compose videos from the objects in a folder of photographs: images/ and instances.json in "
            "COCO's format. val uses every tenth photograph, train the others.",
            show_default=False,
        ),
    ] = None,
    cast: Annotated[
        str | None, typer.Option(help="Render one MP4 with exactly these objects, such as dog,dog,cat.")
    ] = None,
    name: Annotated[str, typer.Option(help="With --cast: name of the MP4.")] = "scene",
    background: Annotated[
        str | None, typer.Option(help="With --cast: texture of the background, such as grass.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")] = False,
) -> None:
    """Render videos of a procedural world, or of cut-out objects, with exact masks in YouTube-VIS format."""
    from ovvis_cli.diorama.writer import DRAWN, ClipShape, DataSetPlan, write_data_set, write_video

    console = Console(quiet=quiet)
    shape = ClipShape(frame_hw=parse_size_hw(size, option="--size"), num_frames=frames)
    if cast is not None:
        if photographs is not None:
            raise UsageError(
                "--photographs is not valid with --cast", hint="restrict the objects with --kinds"
            )
        if not name or Path(name).name != name:
            raise UsageError(
                f"--name '{name}' is not a valid file name", hint="give a name without folder and suffix"
            )
        texture = None if background is None else _texture(background)
        members = _parse_kinds(cast, among=DRAWN.kinds, option="--cast")
        video_path = output / f"{name}.mp4"
        write_video(video_path, cast=members, seed=seed, shape=shape, texture=texture, overwrite=overwrite)
        console.write(f"{video_path}")
        return
    if background is not None:
        raise UsageError(
            "--background is only valid with --cast", hint="omit it: data sets have varied backgrounds"
        )
    world = DRAWN if photographs is None else _photographed(photographs, split)
    plan = DataSetPlan(
        split=split,
        num_videos=videos,
        seed=seed,
        shape=shape,
        kinds=None if kinds is None else _parse_kinds(kinds, among=world.kinds, option="--kinds"),
        video_format=video_format,
        world=world,
    )
    with console.progress(f"rendering {split}", total=videos, unit="videos") as progress:
        path = write_data_set(output, plan=plan, overwrite=overwrite, on_video=progress.update)
    console.write(f"{path}")


def _photographed(folder: Path, split: DioramaSplit) -> "World":
    from ovvis_cli.photographs.composed import photographed_world
    from ovvis_cli.photographs.source import read_folder
    from ovvis_cli.photographs.source import split as split_photographs

    train, held_out = split_photographs(read_folder(folder, complete=True))
    return photographed_world(train if split == "train" else held_out)


def _parse_kinds(text: str, *, among: Sequence["Kind"], option: str) -> tuple["Kind", ...]:
    by_name = {kind.name: kind for kind in among}
    names = [part.strip() for part in text.split(",")]
    unknown = [part for part in names if part not in by_name]
    if unknown:
        shown = ", ".join(f"'{part}'" for part in unknown)
        raise UsageError(f"{option}: unknown kind {shown}", hint=f"choose from {', '.join(by_name)}")
    return tuple(by_name[part] for part in names)


def _texture(name: str) -> "Texture":
    from ovvis_cli.diorama.textures import TEXTURES

    if name not in TEXTURES:
        raise UsageError(f"unknown background '{name}'", hint=f"choose from {', '.join(TEXTURES)}")
    return TEXTURES[name]
