"""Check of a data set on disk, before hours are spent on it: is it complete and well formed?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ovvis_cli.data.catalog import DataSetFiles
from ovvis_cli.data.documents import read_json
from ovvis_cli.data.frames import frame_paths
from ovvis_cli.data.ground_truth import DataSetIndex, parse_ground_truth
from ovvis_cli.data.image_header import image_size
from ovvis_cli.data.index import load_index
from ovvis_cli.data.tracks import AnnotatedVideo
from ovvis_cli.errors import AnnotationError, VideoError
from ovvis_cli.vocabulary.categories import load_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem; `is_serious` if an evaluation would stop or give wrong figures."""

    where: str
    what: str
    is_serious: bool


def check_data_set(
    files: DataSetFiles,
    *,
    annotations: Path | None = None,
    on_video: Callable[[int], None] = lambda done: None,
) -> Iterator[Finding]:
    """Yield all missing or malformed parts: annotations, categories, number of videos, every frame.

    Args:
        files: files of the data set.
        annotations: annotation file to use instead of the data set's own.
        on_video: called with the number of videos whose frames were checked.
    """
    path = annotations or files.annotations
    try:
        index = load_index(files, annotations=annotations)
        yield from _tracks(index, path=path)
    except (AnnotationError, VideoError) as error:
        yield Finding(where=str(path or files.frames), what=str(error), is_serious=True)
        return
    yield from _counts(index, files=files)
    for done, video in enumerate(index.videos.values(), start=1):
        yield from _frames(video, files=files)
        on_video(done)


def _tracks(index: DataSetIndex, *, path: Path | None) -> Iterator[Finding]:
    if path is None or not index.has_ground_truth:
        what = "no public ground truth: submit the results to the server"
        yield Finding(where=str(path or "annotations"), what=what, is_serious=False)
        return
    document = read_json(path)
    if (
        isinstance(document, dict) and "annotations" in document
    ):  # BURST's own format is read together with its index
        parse_ground_truth(document, path=path)


def _counts(index: DataSetIndex, *, files: DataSetFiles) -> Iterator[Finding]:
    where = str(files.annotations or files.frames)
    wanted = files.spec.num_videos.get(files.split)
    if wanted is not None and len(index.videos) not in wanted:
        numbers = " or ".join(str(number) for number in wanted)
        what = f"{len(index.videos)} videos; {files.spec.title}, split {files.split}, has {numbers}"
        yield Finding(where=where, what=what, is_serious=False)
    names = {entry.category_id: entry.name for entry in load_table(files.spec.table).categories}
    if files.spec.name == "burst":
        names = {number: entry.name for number, entry in enumerate(load_table("burst").categories, start=1)}
    for category in index.categories.values():
        known = names.get(category.category_id)
        if known != category.name:
            shown = "unknown" if known is None else f"'{known}'"
            what = (
                f"category {category.category_id} is '{category.name}'; in {files.spec.title} it is {shown}"
            )
            yield Finding(where=where, what=what, is_serious=False)


def _frames(video: AnnotatedVideo, *, files: DataSetFiles) -> Iterator[Finding]:
    """Yield one finding per video and kind of problem: where one frame is missing, hundreds are."""
    missing: list[Path] = []
    for path in frame_paths(video, folder=files.frames):
        if not path.is_file():
            missing.append(path)
            continue
        try:
            found = image_size(path)
        except VideoError as error:
            yield Finding(where=str(path), what=str(error), is_serious=True)
            continue
        if found != video.frame_hw:
            what = f"is {_size(found)}, video {video.video_id} {_size(video.frame_hw)}; it will be resized"
            yield Finding(where=str(path), what=what, is_serious=False)
    if missing:
        what = f"video {video.video_id}: {len(missing)} of {video.num_frames} frames are missing"
        yield Finding(where=str(missing[0]), what=what, is_serious=True)


def _size(frame_hw: tuple[int, int]) -> str:
    return f"{frame_hw[1]}x{frame_hw[0]}"
