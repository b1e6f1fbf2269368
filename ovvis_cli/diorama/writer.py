"""Writer of diorama videos: data sets in the YouTube-VIS layout, and single videos with a chosen cast."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jaxtyping import UInt8

from ovvis_cli.atomic import atomic_path, write_text_atomic
from ovvis_cli.choices import DioramaFormat, DioramaSplit
from ovvis_cli.diorama.annotations import Annotations, VideoEntry, category_entries, track_annotation
from ovvis_cli.diorama.background import paint_background
from ovvis_cli.diorama.kinds import ALL_KINDS
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.scene import FRAMES_PER_S, Background, Clip, film
from ovvis_cli.diorama.splits import plan_casts, split_kinds, video_rng
from ovvis_cli.diorama.textures import Texture
from ovvis_cli.errors import UsageError
from ovvis_cli.video.writer import OverlayWriter

ANNOTATIONS_NAME = "instances.json"
FRAMES_FOLDER = "JPEGImages"
_JPEG_QUALITY = 95
_MIN_SIDE_PX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """Size (height, width) and number of frames of each video."""

    frame_hw: tuple[int, int]
    num_frames: int

    def __post_init__(self) -> None:
        """Raise UsageError if no such video can be drawn."""
        if min(self.frame_hw) < _MIN_SIDE_PX or self.num_frames < 1:
            height, width = self.frame_hw
            raise UsageError(
                f"cannot draw {self.num_frames} frames of {height}x{width}",
                hint=f"a video has at least 1 frame and {_MIN_SIDE_PX} pixels a side",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The kinds of objects that videos show, and how their backgrounds are made."""

    kinds: tuple[Kind, ...]  # the categories of a data set, in this order
    background: Background


DRAWN: Final = World(kinds=ALL_KINDS, background=paint_background)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetPlan:
    """What to render; `kinds` restricts the kinds, None allows all of the split."""

    split: DioramaSplit
    num_videos: int
    seed: int
    shape: ClipShape
    kinds: tuple[Kind, ...] | None = None
    video_format: DioramaFormat = "frames"
    world: World = DRAWN

    def __post_init__(self) -> None:
        """Raise UsageError if the plan cannot be drawn, or has a novel kind in training."""
        if self.num_videos < 1:
            raise UsageError(f"a data set needs at least 1 video, not {self.num_videos}")
        held_out = [kind.name for kind in self.kinds or () if kind.novel]
        if self.split == "train" and held_out:
            raise UsageError(
                f"held out of training: {', '.join(held_out)}",
                hint="name base kinds only, or draw the split 'val'",
            )


def write_data_set(
    output: Path,
    *,
    plan: DataSetPlan,
    overwrite: bool = False,
    on_video: Callable[[int], None] = lambda num_done: None,
) -> Path:
    """Draw a data set into OUTPUT/<split>, which appears complete at the end; return its annotations.

    The categories are always all kinds of the world. `on_video` is called with the number of finished videos.

    Raises:
        UsageError: the folder exists and must not be replaced.
        ResourceError: the disk is full or not writable.
    """
    folder = output / plan.split
    _check_replaceable(folder, overwrite=overwrite)
    kinds = plan.kinds or split_kinds(plan.world.kinds, plan.split)
    casts = plan_casts(kinds, split=plan.split, seed=plan.seed, num_videos=plan.num_videos)
    annotations = _empty_annotations(plan.world.kinds, split=plan.split, seed=plan.seed)
    with atomic_path(folder) as partial:
        partial.mkdir()
        for video_index, cast in enumerate(casts):
            rng = video_rng(split=plan.split, seed=plan.seed, video_index=video_index)
            frame_indices = range(plan.shape.num_frames)
            clip = film(
                rng,
                cast=cast,
                frame_hw=plan.shape.frame_hw,
                frame_indices=frame_indices,
                background=plan.world.background,
            )
            name = f"{video_index:05d}"
            _write_clip(partial, clip=clip, name=name, video_format=plan.video_format)
            _add_clip(annotations, clip=clip, name=name)
            on_video(video_index + 1)
        (partial / ANNOTATIONS_NAME).write_text(_to_json(annotations), encoding="utf-8")
    return folder / ANNOTATIONS_NAME


def write_video(
    path: Path,
    *,
    cast: Sequence[Kind],
    seed: int,
    shape: ClipShape,
    texture: Texture | None = None,
    overwrite: bool = False,
) -> Path:
    """Draw one MP4 of the objects in `cast`, with its annotations beside it as .json; return its path.

    Raises:
        UsageError: the file exists and must not be replaced.
        ResourceError: the disk is full or not writable.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} already exists", hint="add --overwrite to replace it")
    rng = video_rng(split="val", seed=seed, video_index=0)
    frame_indices = range(shape.num_frames)
    clip = film(
        rng,
        cast=cast,
        frame_hw=shape.frame_hw,
        frame_indices=frame_indices,
        background=functools.partial(paint_background, texture=texture),
    )
    annotations = _empty_annotations(ALL_KINDS, split="val", seed=seed)
    _add_clip(annotations, clip=clip, name=path.stem)
    with atomic_path(path) as partial:
        _write_mp4(partial, frames=clip.frames)
    write_text_atomic(path.with_suffix(".json"), _to_json(annotations))
    return path


def _add_clip(annotations: Annotations, *, clip: Clip, name: str) -> None:
    """Add a video and its visible objects to `annotations`; ids continue."""
    length, height, width = clip.frames.shape[:3]
    video_id = len(annotations["videos"]) + 1
    category_ids = {entry["name"]: entry["id"] for entry in annotations["categories"]}
    video: VideoEntry = {
        "id": video_id,
        "width": width,
        "height": height,
        "length": length,
        "file_names": [_frame_name(name, frame_index=frame_index) for frame_index in range(length)],
    }
    annotations["videos"].append(video)
    for n, (kind, caption) in enumerate(zip(clip.kinds, clip.captions, strict=True)):
        entry = track_annotation(
            clip.masks[:, n],
            annotation_id=len(annotations["annotations"]) + 1,
            video_id=video_id,
            category_id=category_ids[kind.name],
            caption=caption,
        )
        if entry is not None:
            annotations["annotations"].append(entry)


def _check_replaceable(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / ANNOTATIONS_NAME).is_file():
        raise UsageError(
            f"{folder} exists and is not a diorama data set", hint="choose another output folder"
        )
    if not overwrite:
        raise UsageError(f"{folder} already exists", hint="add --overwrite to replace it")


def _empty_annotations(kinds: Sequence[Kind], *, split: DioramaSplit, seed: int) -> Annotations:
    return {
        "info": {"description": "ovvis diorama", "split": split, "seed": seed},
        "videos": [],
        "annotations": [],
        "categories": category_entries(kinds),
    }


def _to_json(annotations: Annotations) -> str:
    return json.dumps(annotations, separators=(",", ":")) + "\n"


def _frame_name(name: str, *, frame_index: int) -> str:
    return f"{name}/{frame_index:05d}.jpg"


def _write_clip(folder: Path, *, clip: Clip, name: str, video_format: DioramaFormat) -> None:
    if video_format == "mp4":
        _write_mp4(folder / f"{name}.mp4", frames=clip.frames)
        return
    frames_folder = folder / FRAMES_FOLDER
    (frames_folder / name).mkdir(parents=True)
    for frame_index, frame in enumerate(clip.frames):
        path = frames_folder / _frame_name(name, frame_index=frame_index)
        path.write_bytes(_to_jpeg(frame))


def _write_mp4(path: Path, *, frames: UInt8[np.ndarray, "T H W 3"]) -> None:
    height, width = frames.shape[1:3]
    with OverlayWriter(path, width=width, height=height) as video:
        for frame_index, frame in enumerate(frames):
            video.write(frame, time_s=frame_index / FRAMES_PER_S)


def _to_jpeg(frame: UInt8[np.ndarray, "H W 3"]) -> bytes:
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return bytes(encoded)
