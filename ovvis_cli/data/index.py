"""Videos and categories of a data set on disk."""

from pathlib import Path

from ovvis_cli.data.burst import is_burst, parse_burst
from ovvis_cli.data.burst_conversion import categories_of, videos_of
from ovvis_cli.data.catalog import DataSetFiles
from ovvis_cli.data.documents import read_json
from ovvis_cli.data.ground_truth import DataSetIndex, parse_index
from ovvis_cli.data.image_header import image_size
from ovvis_cli.data.tracks import AnnotatedCategory, AnnotatedVideo
from ovvis_cli.errors import AnnotationError
from ovvis_cli.vocabulary.categories import load_table

_IMAGES = frozenset({".jpg", ".jpeg", ".png"})


def load_index(files: DataSetFiles, *, annotations: Path | None = None) -> DataSetIndex:
    """Return the videos to run and the categories to ask for.

    Without an annotation file, as in LV-VIS's test split, the videos are the folders sorted by name, and
    their positions are the ids.

    Args:
        files: files of the data set.
        annotations: annotation file to use instead of the data set's own.

    Raises:
        AnnotationError: the annotation file is malformed, or there are no videos.
    """
    path = annotations or files.annotations
    if path is None:
        return _index_of_folders(files)
    document = read_json(path)
    if is_burst(document):
        burst = parse_burst(document, path=path)
        return DataSetIndex(videos=videos_of(burst), categories=categories_of(burst), has_ground_truth=True)
    return parse_index(document, path=path)


def _index_of_folders(files: DataSetFiles) -> DataSetIndex:
    folders = sorted(path for path in files.frames.iterdir() if path.is_dir())
    if not folders:
        raise AnnotationError(f"{files.frames}: the folder has no folders of frames")
    videos = {number: _video_of(folder, video_id=number) for number, folder in enumerate(folders)}
    categories = {
        category.category_id: AnnotatedCategory(
            category_id=category.category_id, name=category.name, partition=category.partition
        )
        for category in load_table(files.spec.table).categories
    }
    return DataSetIndex(videos=videos, categories=categories, has_ground_truth=False)


def _video_of(folder: Path, *, video_id: int) -> AnnotatedVideo:
    frames = sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGES)
    if not frames:
        raise AnnotationError(f"{folder}: the folder has no frames")
    return AnnotatedVideo(
        video_id=video_id,
        frame_hw=image_size(frames[0]),
        num_frames=len(frames),
        file_names=tuple(f"{folder.name}/{frame.name}" for frame in frames),
    )
