"""Videos that appear in folders while ovvis is running."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ovvis_cli.errors import UsageError
from ovvis_cli.inference.result_names import named_sources
from ovvis_cli.video.inputs import Source, videos_in

_PAUSE_S: Final = 2.0
_SETTLED_S: Final = 5.0

_Stamp = tuple[int, int]  # size in bytes and time of the last change in nanoseconds


def watch_folders(
    folders: Sequence[Path],
    *,
    output: Path,
    on_new: Callable[[list[Source]], None],
    pause_s: float = _PAUSE_S,
    settled_s: float = _SETTLED_S,
) -> Iterator[Source | None]:
    """Yield the videos of folders as they become complete, without end; None after every pause.

    A video is complete when its size and time stamp have not changed for `settled_s` seconds. A video that
    changes afterwards is yielded again.

    Args:
        folders: where the videos appear; their names are as `named_sources` gives them.
        output: the results folder.
        on_new: called with the new videos before they are yielded.
        pause_s: time between two looks.
        settled_s: time without a change after which a video is complete.
    """
    seen = _SeenFiles(settled_s=settled_s)
    known: dict[str, None] = {}
    while True:
        complete = [str(path) for folder in folders for path in seen.newly_complete(folder)]
        if complete:
            known |= dict.fromkeys(complete)  # names depend on all videos of the folders
            named = named_sources(list(known), output=output)
            new = [source for source in named if source.location.text in complete]
            on_new(new)
            yield from new
        else:
            time.sleep(pause_s)
            yield None


def check_watched(inputs: Sequence[str]) -> list[Path]:
    """Return the folders to watch.

    Raises:
        UsageError: an input is not a folder.
    """
    for given in inputs:
        if not Path(given).is_dir():
            raise UsageError(
                f"--watch: {given} is not a folder", hint="create the folder that will be filled"
            )
    return [Path(given) for given in inputs]


class _SeenFiles:
    """Files of watched folders: when they were last seen to change, and which were already yielded."""

    def __init__(self, *, settled_s: float) -> None:
        self._settled_s = settled_s
        self._changes: dict[Path, tuple[_Stamp, float]] = {}
        self._yielded: dict[Path, _Stamp] = {}

    def newly_complete(self, folder: Path) -> list[Path]:
        """Return the videos of the folder that are complete and were not returned as they are now."""
        return [path for path in videos_in(folder) if self._is_newly_complete(path)]

    def _is_newly_complete(self, path: Path) -> bool:
        try:
            stat = path.stat()
        except OSError:  # removed meanwhile, or a broken link
            return False
        stamp, now_s = (stat.st_size, stat.st_mtime_ns), time.monotonic()
        if self._yielded.get(path) == stamp:
            return False
        before = self._changes.get(path)
        if before is None or before[0] != stamp:
            self._changes[path] = (stamp, now_s)
            return False
        if now_s - before[1] < self._settled_s:
            return False
        del self._changes[path]
        self._yielded[path] = stamp
        return True
