"""What the user may give as input, and the list of sources that it stands for."""

import difflib
import glob
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

from ovvis_cli.errors import UsageError, VideoError
from ovvis_cli.video.image_types import ImageType, image_type, quick_image_type
from ovvis_cli.video.natural_order import in_natural_order

logger = logging.getLogger(__name__)

LocationKind = Literal["file", "images", "animation", "camera", "url"]

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".m2v",
    ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".mxf", ".vob", ".dv", ".nut", ".ivf", ".y4m",
    ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".obu", ".mjpeg", ".mjpg",
})
IMAGE_SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".avif", ".jp2", ".gif",
    ".apng",
})
# fmt: on
_KINDS_BY_TYPE: dict[ImageType | None, LocationKind] = {"still": "images", "animation": "animation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One video to be analysed."""

    location: str  # path, URL or camera number, as `probe` and `read_frames` take it
    name: str  # name of its result folder
    kind: LocationKind


def expand_inputs(inputs: Sequence[str]) -> list[Source]:
    """The sources that the arguments of a command stand for, in order, each once.

    An argument is a file, a pattern such as `clips/*.mp4`, a URL, a camera number, or a folder. A folder with
    videos or animated images in it stands for each of them (its own level only, natural order); one with
    images is one source, a video of these images. What is left out is logged as a warning. What does not
    exist is passed on, so that reading it tells why and a batch goes on. Two sources may have one name:
    `ovvis_cli.inference.result_names` tells them apart.

    Raises:
        UsageError: `inputs` is empty.
    """
    if not inputs:
        raise UsageError("no input given", hint="name a video, a folder, a URL or a camera number")
    once: dict[str, str] = {}
    for argument in inputs:
        for location in _expand(argument):
            first = once.setdefault(_identity(location), location)
            if first != location:
                logger.warning("%s is the same as %s and is left out", location, first)
    return [
        Source(location=location, name=default_name(location), kind=location_kind(location))
        for location in once.values()
    ]


def location_kind(location: str | Path) -> LocationKind:
    """How a location is to be opened: files by their content; one that is named like a camera or URL wins."""
    path = Path(location)
    if path.is_file():
        return _KINDS_BY_TYPE.get(image_type(path), "file")
    if path.is_dir() or (path.suffix.lower() in IMAGE_SUFFIXES and "://" not in str(location)):
        return "images"
    if isinstance(location, str) and not path.exists():
        if location.isdecimal():
            return "camera"
        if "://" in location:
            return "url"
    return "file"


def display_name(location: str | Path) -> str:
    """The location as messages show it: the file name, or the URL without its password."""
    kind = location_kind(location)
    if kind == "camera":
        return f"camera {location}"
    if kind != "url":
        return Path(location).name or str(location)
    url = urlsplit(str(location))
    host = url.netloc.rpartition("@")[2]
    return urlunsplit((url.scheme, host, url.path, "", ""))


def images_of(folder: Path) -> list[Path]:
    """The images of a folder in natural order; a single image is a list of one."""
    if not folder.is_dir():
        return [folder]
    return _files_with(folder, IMAGE_SUFFIXES)


def no_such_file(location: str | Path) -> VideoError:
    """The error for a missing file, with names nearby that may have been meant."""
    path = Path(location)
    if path.is_symlink():
        return VideoError(f"{location}: links to nothing", hint=f"{path.readlink()} is gone")
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=2)
    if near:
        hint = "did you mean " + " or ".join(str(path.parent / name) for name in near) + "?"
    elif path.parent.is_dir():
        hint = "check the path"
    else:
        hint = f"there is no folder {path.parent} either"
    return VideoError(f"{location}: no such file", hint=hint)


def no_media_in(folder: Path) -> VideoError:
    """The error for a folder without videos and images."""
    below = next((entry for entry in sorted(folder.iterdir()) if entry.is_dir()), None)
    hint = (
        f"folders are not searched below their own level: try {below}" if below else "is it the right folder?"
    )
    return VideoError(f"{folder}: no video and no image in this folder", hint=hint)


def _expand(argument: str) -> Iterable[str]:
    path = Path(argument)
    if not path.exists() and argument.startswith("file:"):
        argument = url2pathname(urlsplit(argument).path)
        path = Path(argument)
    if path.is_dir():
        return _sources_in(path) or [argument]
    if not path.exists() and "://" not in argument and glob.has_magic(argument):
        matches = in_natural_order(glob.glob(argument), key=str)  # noqa: PTH207 - a pattern of the user's, maybe absolute
        return [location for match in matches for location in _expand(match)] or [argument]
    return [argument]


def _sources_in(folder: Path) -> list[str]:
    """The videos of a folder; empty where it is one source itself, a video of its images."""
    types = {path: quick_image_type(path) for path in images_of(folder)}
    moving = [path for path, found in types.items() if found in {"video", "animation"}]
    videos = _files_with(folder, VIDEO_SUFFIXES)
    num_stills = len(types) - len(moving)
    if not videos and len(moving) < num_stills:
        if moving:
            names = ", ".join(path.name for path in moving)
            logger.warning("%s: of moving images only the first picture is read: %s", folder, names)
        return []
    if num_stills:
        logger.warning("%s: the videos are read, %s left out", folder, _images_are(num_stills))
    return [str(path) for path in in_natural_order([*videos, *moving], key=lambda path: path.name)]


def _images_are(count: int) -> str:
    return "1 image is" if count == 1 else f"{count} images are"


def _files_with(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    files = (entry for entry in folder.iterdir() if entry.suffix.lower() in suffixes)
    visible = (entry for entry in files if not entry.name.startswith("."))
    # a link to nothing stays in the list, so that reading it says so
    present = [entry for entry in visible if entry.is_file() or (entry.is_symlink() and not entry.exists())]
    return in_natural_order(present, key=lambda entry: entry.name)


def _identity(location: str) -> str:
    is_local = location_kind(location) in {"file", "images", "animation"}
    return str(Path(location).resolve()) if is_local else location


def default_name(location: str) -> str:
    """The name of a location's result folder where nothing else has that name: that of the path as given."""
    kind = location_kind(location)
    if kind == "camera":
        return f"camera-{location}"
    if kind == "url":
        url = urlsplit(location)
        return as_folder_name(Path(url.path).stem or url.hostname or "stream")
    path = Path(location).absolute()
    if path.name in {"", ".."}:
        path = path.resolve()
    return as_folder_name(path.name if path.is_dir() else path.stem)


def as_folder_name(text: str) -> str:
    """The text without signs that some file system refuses."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", text).strip(". ") or "video"
