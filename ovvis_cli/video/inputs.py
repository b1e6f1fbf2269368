"""Parsing of input arguments (files, folders, patterns, URLs, cameras) into a list of sources."""

import difflib
import glob
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ovvis_cli.errors import UsageError, VideoError
from ovvis_cli.video.image_types import quick_image_type
from ovvis_cli.video.location import IMAGE_SUFFIXES, Location, parse_location
from ovvis_cli.video.natural_order import in_natural_order

logger = logging.getLogger(__name__)

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".m2v",
    ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".mxf", ".vob", ".dv", ".nut", ".ivf", ".y4m",
    ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".obu", ".mjpeg", ".mjpg",
})
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One video to analyse."""

    location: Location
    name: str  # name of its result folder


def expand_inputs(inputs: Sequence[str]) -> list[Source]:
    """Return the sources that the arguments of a command name, in order, without duplicates.

    An argument is a file, a pattern such as `clips/*.mp4`, a URL, a camera number, or a folder. A folder with
    videos or animated images yields one source for each of them (not searched recursively, in natural order);
    a folder of images is one source, a video of these images. Skipped files are logged as warnings. A missing
    file is kept, so that reading it reports the error and the other inputs are still processed. Two sources
    may have the same name; `ovvis_cli.inference.result_names` makes the names unique.

    Raises:
        UsageError: `inputs` is empty.
    """
    if not inputs:
        raise UsageError("no input given", hint="name a video, a folder, a URL or a camera number")
    once: dict[str, Location] = {}
    for argument in inputs:
        for location in map(parse_location, _expand(argument)):
            first = once.setdefault(_identity(location), location)
            if first != location:
                logger.warning("%s is the same as %s and is skipped", location, first)
    return [Source(location=location, name=default_name(location)) for location in once.values()]


def images_of(folder: Path) -> list[Path]:
    """Return the images of a folder in natural order; a single image gives a list of one."""
    if not folder.is_dir():
        return [folder]
    return _files_with(folder, IMAGE_SUFFIXES)


def videos_in(folder: Path) -> list[Path]:
    """Return the video files of a folder, by suffix, in natural order."""
    return _files_with(folder, VIDEO_SUFFIXES)


def no_such_file(path: Path) -> VideoError:
    """Return the error for a missing file, with similar names as a hint."""
    if path.is_symlink():
        return VideoError(f"{path}: broken link", hint=f"{path.readlink()} does not exist")
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=2)
    if near:
        hint = "did you mean " + " or ".join(str(path.parent / name) for name in near) + "?"
    elif path.parent.is_dir():
        hint = "check the path"
    else:
        hint = f"the folder {path.parent} does not exist either"
    return VideoError(f"{path}: no such file", hint=hint)


def no_media_in(folder: Path) -> VideoError:
    """Return the error for a folder without videos and images."""
    below = next((entry for entry in sorted(folder.iterdir()) if entry.is_dir()), None)
    hint = f"folders are not searched recursively; try {below}" if below else "check the path of the folder"
    return VideoError(f"{folder}: no video and no image in this folder", hint=hint)


def _expand(argument: str) -> Iterable[str]:
    path = Path(argument)
    if not path.exists() and argument.startswith("file:"):
        argument = url2pathname(urlsplit(argument).path)
        path = Path(argument)
    if path.is_dir():
        return _sources_in(path) or [argument]
    if not path.exists() and "://" not in argument and glob.has_magic(argument):
        matches = in_natural_order(glob.glob(argument), key=str)  # noqa: PTH207 - the user's pattern may be absolute
        return [location for match in matches for location in _expand(match)] or [argument]
    return [argument]


def _sources_in(folder: Path) -> list[str]:
    """Return the videos of a folder; an empty list if the folder is one source, a video of its images."""
    types = {path: quick_image_type(path) for path in images_of(folder)}
    moving = [path for path, found in types.items() if found in {"video", "animation"}]
    videos = videos_in(folder)
    num_stills = len(types) - len(moving)
    if not videos and len(moving) < num_stills:
        if moving:
            names = ", ".join(path.name for path in moving)
            logger.warning("%s: only the first frame of animated images is read: %s", folder, names)
        return []
    if num_stills:
        logger.warning("%s: the videos are read, %s skipped", folder, _images_are(num_stills))
    return [str(path) for path in in_natural_order([*videos, *moving], key=lambda path: path.name)]


def _images_are(count: int) -> str:
    return "1 image is" if count == 1 else f"{count} images are"


def _files_with(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    files = (entry for entry in folder.iterdir() if entry.suffix.lower() in suffixes)
    visible = (entry for entry in files if not entry.name.startswith("."))
    # keep broken links in the list, so that reading them reports the error
    present = [entry for entry in visible if entry.is_file() or (entry.is_symlink() and not entry.exists())]
    return in_natural_order(present, key=lambda entry: entry.name)


def _identity(location: Location) -> str:
    return str(location.path.resolve()) if location.is_local else location.text


def default_name(location: Location) -> str:
    """Return the default name of a location's result folder, taken from the path as given."""
    if location.kind == "camera":
        return f"camera-{location}"
    if location.kind == "url":
        url = urlsplit(location.text)
        return as_folder_name(Path(url.path).stem or url.hostname or "stream")
    path = location.path.absolute()
    if path.name in {"", ".."}:
        path = path.resolve()
    return as_folder_name(path.name if path.is_dir() else path.stem)


def as_folder_name(text: str) -> str:
    """Return the text with characters that some file systems reject replaced."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", text).strip(". ") or "video"
