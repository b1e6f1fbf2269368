"""Location of a video and kind of source, parsed once and then passed on as a `Location`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

from ovvis_cli.video.image_types import ImageType, image_type

LocationKind = Literal["file", "images", "animation", "camera", "url"]
"""`images` is a folder of images or a single image; `file` is any file that FFmpeg opens."""

IMAGE_SUFFIXES: Final = frozenset(
    {
        ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".avif", ".jp2", ".gif",
        ".apng",
    }
)  # fmt: skip
_KINDS_BY_TYPE: Final[dict[ImageType | None, LocationKind]] = {"still": "images", "animation": "animation"}


@dataclass(frozen=True, slots=True)
class Location:
    """The path, URL or camera number of a video as given, and the kind of source. See `parse_location`."""

    text: str
    kind: LocationKind

    def __str__(self) -> str:
        return self.text

    @property
    def path(self) -> Path:
        """Path of a local source."""
        return Path(self.text)

    @property
    def is_local(self) -> bool:
        """Whether the source is a file or folder of this machine."""
        return self.kind in {"file", "images", "animation"}

    @property
    def display_name(self) -> str:
        """Name for messages: the file name, the camera number, or the URL without password and query."""
        if self.kind == "camera":
            return f"camera {self.text}"
        if self.kind != "url":
            return self.path.name or self.text
        url = urlsplit(self.text)
        host = url.netloc.rpartition("@")[2]
        return urlunsplit((url.scheme, host, url.path, "", ""))


def parse_location(given: str | Path | Location) -> Location:
    """Return the location and source kind of a path, URL or camera number; a `Location` is unchanged.

    Files are recognized by their content. An existing file takes precedence over a camera number or URL.
    """
    return given if isinstance(given, Location) else Location(text=str(given), kind=_kind_of(given))


def _kind_of(given: str | Path) -> LocationKind:
    path = Path(given)
    if path.is_file():
        return _KINDS_BY_TYPE.get(image_type(path), "file")
    if path.is_dir() or (path.suffix.lower() in IMAGE_SUFFIXES and "://" not in str(given)):
        return "images"
    if isinstance(given, str) and not path.exists():
        if given.isdecimal():
            return "camera"
        if "://" in given:
            return "url"
    return "file"
