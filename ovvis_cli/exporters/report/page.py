"""Self-contained HTML pages: style sheets, scripts and data are written into the page itself."""

import base64
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import IO, Final

_DATA_MARK: Final = "<!-- data -->"
_CHUNK_BYTES: Final = 3 << 20  # per script element; divisible by 3, so that base64 needs no padding inside
_SUMMARY: Final = "summary"


def page_around_data(name: str) -> tuple[str, str]:
    """Return the text of a page of `pages/` before and after its data, with styles and scripts inlined."""
    page = _resource(name)
    page = re.sub(
        r'<link rel="stylesheet" href="([^"]+)">',
        lambda found: f"<style>\n{_resource(found[1])}</style>",
        page,
    )
    page = re.sub(
        r'<script src="([^"]+)"></script>', lambda found: f"<script>\n{_resource(found[1])}</script>", page
    )
    before, _, after = page.partition(_DATA_MARK)
    return before, after


def embedded_json(value: object) -> str:
    """Format a value for a script element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def write_summary(page: IO[str], summary: object) -> None:
    """Write the page's summary, one line that `read_summary` finds again."""
    page.write(f'<script type="application/json" id="{_SUMMARY}">{embedded_json(summary)}</script>\n')


def read_summary(path: Path) -> dict[str, object] | None:
    """Return the summary of a page that was written by `write_summary`, or None if there is none."""
    start, end = f'<script type="application/json" id="{_SUMMARY}">', "</script>\n"
    try:
        with path.open(encoding="utf-8") as page:
            line = next((line for line in page if line.startswith(start)), None)
        content = None if line is None else json.loads(line.removeprefix(start).removesuffix(end))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def crops_of(summary: Mapping[str, object]) -> dict[int, str]:
    """Return the pictures of tracks in the summary of a report, by track id."""
    tracks = summary.get("tracks")
    if not isinstance(tracks, list):
        return {}
    return {track["id"]: track["crop"] for track in tracks if track.get("crop")}


def write_video(page: IO[str], path: Path) -> None:
    """Write a video file as script elements of base64 text, piece by piece."""
    with path.open("rb") as video:
        while chunk := video.read(_CHUNK_BYTES):
            text = base64.b64encode(chunk).decode("ascii")
            page.write(f'<script type="text/plain" class="video">{text}</script>\n')


def jpeg_address(jpeg: bytes) -> str:
    """Return the data address of a JPEG picture."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath("pages", name).read_text(encoding="utf-8")
