"""What the console shows of exports: progress while the video is read, and the files at the end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ovvis_cli.console import Console
from ovvis_cli.exporters import VIDEO_FORMATS, ExportFormat
from ovvis_cli.exporters.export import num_video_frames
from ovvis_cli.record.reader import Record


@contextmanager
def video_progress(
    console: Console, *, record: Record, formats: Sequence[ExportFormat]
) -> Iterator[Callable[[int], None] | None]:
    """Show the progress of the formats that read the video; the others are fast."""
    slow = [name for name in formats if name in VIDEO_FORMATS]
    if not slow:
        yield None
        return
    with console.progress(", ".join(slow), total=len(slow) * num_video_frames(record)) as progress:
        yield progress.update


def write_paths(console: Console, paths: Mapping[ExportFormat, Path]) -> None:
    """Print the exported files; of a report also its size, which a browser has to hold."""
    for name, path in paths.items():
        console.write(str(path))
        if name == "report":
            megabytes = path.stat().st_size / 1e6
            console.note(f"{path.name}: {megabytes:.1f} MB, opens in any browser without a network")
