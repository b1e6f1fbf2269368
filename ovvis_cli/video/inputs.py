"""What the user may give as input, and the list of sources that it stands for."""

import difflib
import glob
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from ovvis_cli.errors import UsageError, VideoError

LocationKind = Literal["file", "images", "camera", "url"]

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts",
    ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".h264", ".h265",
    ".hevc", ".vob", ".gif",
})
IMAGE_SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".avif", ".jp2",
})
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One video to be analysed."""

    location: str  # path, URL or camera number, as `probe` and `read_frames` take it
    name: str  # name of its result folder, unique in one call
    kind: LocationKind


def expand_inputs(inputs: Sequence[str]) -> list[Source]:
    """The sources that the arguments of a command stand for, in order, each once.

    An argument is a file, a pattern such as `clips/*.mp4`, a URL, a camera number, or a folder. A folder with
    videos in it stands for each of them (its own level only, natural order); one with images only is one
    source, a video of these images. What does not exist is passed on, so that reading it tells why and a
    batch goes on.

    Raises:
        UsageError: `inputs` is empty.
    """
    if not inputs:
        raise UsageError("no input given", hint="name a video, a folder, a URL or a camera number")
    once: dict[str, str] = {}
    for argument in inputs:
        for location in _expand(argument):
            once.setdefault(_identity(location), location)
    locations = list(once.values())
    return [
        Source(location=location, name=name, kind=location_kind(location))
        for location, name in zip(locations, _unique_names(locations), strict=True)
    ]


def location_kind(location: str | Path) -> LocationKind:
    """How a location is to be opened; a file that is named like a camera or URL wins."""
    path = Path(location)
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


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which frame10 follows frame9."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def no_such_file(location: str | Path) -> VideoError:
    """The error for a missing file, with names nearby that may have been meant."""
    path = Path(location)
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
    if path.is_dir():
        return [str(video) for video in _files_with(path, VIDEO_SUFFIXES)] or [argument]
    if not path.exists() and "://" not in argument and glob.has_magic(argument):
        matches = sorted(glob.glob(argument), key=natural_key)  # noqa: PTH207 - a pattern of the user's, maybe absolute
        return [location for match in matches for location in _expand(match)] or [argument]
    return [argument]


def _files_with(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    files = (entry for entry in folder.iterdir() if entry.suffix.lower() in suffixes)
    visible = (entry for entry in files if not entry.name.startswith(".") and entry.is_file())
    return sorted(visible, key=lambda entry: natural_key(entry.name))


def _identity(location: str) -> str:
    return str(Path(location).resolve()) if location_kind(location) in {"file", "images"} else location


def _unique_names(locations: Sequence[str]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for location in locations:
        stem = _stem(location)
        name, count = stem, 1
        while name.casefold() in taken:  # casefold: Clip and clip are one folder on some systems
            count += 1
            name = f"{stem}-{count}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _stem(location: str) -> str:
    kind = location_kind(location)
    if kind == "camera":
        return f"camera-{location}"
    if kind == "url":
        url = urlsplit(location)
        stem = Path(url.path).stem or url.hostname or "stream"
    else:
        path = Path(location).resolve()
        stem = path.name if path.is_dir() else path.stem
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", stem).strip(". ") or "video"
