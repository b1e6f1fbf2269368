"""The data sets that ovvis evaluates: their layouts on disk and their protocol numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ovvis_cli.choices import DataSetName, SplitName, TableName
from ovvis_cli.errors import AnnotationError


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetSpec:
    """One data set. In the path patterns, {split} stands for each name of the split in turn."""

    name: DataSetName
    title: str
    table: TableName  # table of its categories
    max_entries: int  # results per video, as the papers submit them
    folders: tuple[str, ...]  # names of its folder inside the folder that the user gives
    split_names: Mapping[SplitName, tuple[str, ...]]
    annotations: tuple[str, ...]
    frames: tuple[str, ...]
    num_videos: Mapping[SplitName, tuple[int, ...]]  # as published; all numbers if sources differ
    page: str  # page of the authors
    server: str = ""  # server for results if the ground truth is private


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetFiles:
    """One split of a data set on disk. `annotations` is None if none are published (LV-VIS test)."""

    spec: DataSetSpec
    split: SplitName
    annotations: Path | None
    frames: Path


def find_files(spec: DataSetSpec, folder: Path, *, split: SplitName) -> DataSetFiles:
    """Find the files of a split in `folder`, in any of the known layouts.

    Raises:
        AnnotationError: they are missing; the message lists all places searched.
    """
    if not folder.is_dir():
        raise AnnotationError(f"{folder} is not a folder", hint=f"--data: the folder with {spec.title}")
    roots = [folder, *(folder / name for name in spec.folders if (folder / name).is_dir())]
    annotations = [
        path for path in _places(spec.annotations, roots, spec=spec, split=split) if path.is_file()
    ]
    frames = [path for path in _places(spec.frames, roots, spec=spec, split=split) if path.is_dir()]
    optional = spec.name == "lvvis" and split == "test"
    if not annotations and not optional:
        looked = _shown(spec.annotations, spec=spec, split=split)
        raise AnnotationError(f"{folder}: no annotation file of {spec.title}, split {split}", hint=looked)
    if not frames:
        looked = _shown(spec.frames, spec=spec, split=split)
        raise AnnotationError(f"{folder}: no folder with frames of {spec.title}, split {split}", hint=looked)
    return DataSetFiles(
        spec=spec, split=split, annotations=annotations[0] if annotations else None, frames=frames[0]
    )


def _places(
    patterns: tuple[str, ...], roots: list[Path], *, spec: DataSetSpec, split: SplitName
) -> list[Path]:
    return [
        root / pattern.format(split=name)
        for root in roots
        for pattern in patterns
        for name in spec.split_names[split]
    ]


def _shown(patterns: tuple[str, ...], *, spec: DataSetSpec, split: SplitName) -> str:
    places = [pattern.format(split=name) for pattern in patterns for name in spec.split_names[split]]
    return "looked for " + ", ".join(dict.fromkeys(places))


_VALID: Final[Mapping[SplitName, tuple[str, ...]]] = MappingProxyType(
    {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
)
_VAL: Final[Mapping[SplitName, tuple[str, ...]]] = MappingProxyType(
    {"train": ("train",), "val": ("val",), "test": ("test",)}
)
_YTVIS_ANNOTATIONS: Final = (
    "{split}.json",
    "{split}/instances.json",
    "annotations/{split}.json",
    "annotations/instances_{split}.json",
)

_SPECS: Final = (
    DataSetSpec(
        name="ytvis2019",
        title="YouTube-VIS 2019",
        page="https://youtube-vos.org/dataset/vis",
        table="ytvis2019",
        max_entries=10,
        folders=("ytvis_2019", "ytvis2019", "youtube-vis-2019"),
        split_names=_VALID,
        num_videos=MappingProxyType({"train": (2238,), "val": (302,), "test": (343,)}),
        annotations=_YTVIS_ANNOTATIONS,
        frames=("{split}/JPEGImages",),
        server="CodaLab competitions 6064 and 7682",
    ),
    DataSetSpec(
        name="ytvis2021",
        title="YouTube-VIS 2021",
        page="https://youtube-vos.org/dataset/vis",
        table="ytvis2021",
        max_entries=10,
        folders=("ytvis_2021", "ytvis2021", "youtube-vis-2021"),
        split_names=_VALID,
        num_videos=MappingProxyType({"train": (2985,), "val": (421,), "test": (453,)}),
        annotations=_YTVIS_ANNOTATIONS,
        frames=("{split}/JPEGImages",),
        server="CodaLab competition 7680",
    ),
    DataSetSpec(
        name="ytvis2022",
        title="YouTube-VIS 2022",
        page="https://youtube-vos.org/dataset/vis",
        table="ytvis2021",
        max_entries=10,
        folders=("ytvis_2022", "ytvis2022", "youtube-vis-2022"),
        split_names=_VALID,
        num_videos=MappingProxyType({"train": (2985,), "val": (492,)}),
        annotations=_YTVIS_ANNOTATIONS,
        frames=("{split}/JPEGImages",),
        server="the CodaLab competition of YouTube-VIS 2022",
    ),
    DataSetSpec(
        name="ovis",
        title="OVIS",
        page="https://songbai.site/ovis",
        table="ovis",
        max_entries=20,
        folders=("ovis", "OVIS"),
        split_names=_VALID,
        num_videos=MappingProxyType({"train": (607,), "val": (140,), "test": (154,)}),
        annotations=(
            "annotations/annotations_{split}.json",
            "annotations_{split}.json",
            "annotation_{split}.json",
            "annotations/annotation_{split}.json",
        ),
        frames=("Images/{split}", "{split}/JPEGImages", "{split}"),
        server="CodaLab competition 4763",
    ),
    DataSetSpec(
        name="burst",
        title="BURST",
        page="https://github.com/Ali2500/BURST-benchmark",
        table="burst",
        max_entries=50,
        folders=("burst", "BURST"),
        split_names=_VAL,
        num_videos=MappingProxyType({"train": (500,), "val": (988, 993), "test": (1421,)}),
        annotations=(
            "annotations/{split}/all_classes.json",
            "annotations/{split}/{split}.json",
            "{split}/all_classes.json",
        ),
        frames=("frames/{split}", "{split}"),
    ),
    DataSetSpec(
        name="lvvis",
        title="LV-VIS",
        page="https://github.com/haochenheheda/LVVIS",
        table="lvvis",
        max_entries=50,
        folders=("lvvis", "LVVIS", "LV-VIS"),
        split_names=_VAL,
        num_videos=MappingProxyType({"train": (3083,), "val": (837,), "test": (908,)}),
        annotations=(
            "{split}_instances.json",
            "{split}/{split}_instances.json",
            "{split}/{split}_instances_.json",
            "{split}/{split}_ytvis_style.json",
        ),
        frames=("{split}/JPEGImages",),
        server="Codabench competition 1748",
    ),
    DataSetSpec(
        name="uvo",
        title="UVO dense v1.0",
        page="https://sites.google.com/view/unidentified-video-object",
        table="uvo",
        max_entries=100,
        folders=("UVOv1.0", "uvo", "UVO"),
        split_names=_VAL,
        num_videos=MappingProxyType({"train": (503,), "val": (256,)}),
        annotations=(
            "VideoDenseSet/UVO_video_{split}_dense.json",
            "VideoDenseSet/UVO_video_{split}_dense_with_label.json",
        ),
        frames=("uvo_videos_dense_frames",),
    ),
    DataSetSpec(
        name="diorama",
        title="diorama",
        page="the command `ovvis diorama datasets/diorama`",
        table="diorama",
        max_entries=50,
        folders=("diorama",),
        split_names=_VAL,
        num_videos=MappingProxyType({}),  # as many as wanted
        annotations=("{split}/instances.json",),
        frames=("{split}/JPEGImages",),
    ),
)

DATA_SETS: Final[Mapping[DataSetName, DataSetSpec]] = MappingProxyType({spec.name: spec for spec in _SPECS})
