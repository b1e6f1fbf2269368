"""Names of result folders: derived from the name of the video, and the same in every later run."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from ovvis_cli.inference.standard_input import is_pipe, keep_pipe
from ovvis_cli.record.identity import source_stamp
from ovvis_cli.record.recorded_source import recorded_source
from ovvis_cli.video.inputs import Source, as_folder_name, expand_inputs
from ovvis_cli.video.location import Location


def named_sources(inputs: Sequence[str], *, output: Path) -> list[Source]:
    """Return the sources of a command's arguments, each with a unique folder name in `output`.

    A folder that already holds a result of the video is reused. Otherwise the folder is named after the
    video; if another video in the list or in `output` has that name, the name of the video's parent folder is
    put before it.

    `-` is standard input. Standard input and pipes are saved as files in `output`.

    Raises:
        UsageError: as `expand_inputs` and `keep_pipe`.
        VideoError: as `keep_pipe`.
        ResourceError: as `keep_pipe`.
    """
    kept = {argument: str(keep_pipe(argument, output=output)) for argument in inputs if is_pipe(argument)}
    sources = [
        replace(source, name="stdin") if source.location.text in kept.values() else source
        for source in expand_inputs([kept.get(argument, argument) for argument in inputs])
    ]
    candidates = {source.location: _candidates(source) for source in sources}
    names: dict[Location, str] = {}
    for source in sources:
        own = next((name for name in candidates[source.location] if _holds(output / name, source)), None)
        if own is not None:
            names[source.location] = own
    num_levels = max(map(len, candidates.values()), default=0)
    for level in range(num_levels):
        waiting = [source.location for source in sources if source.location not in names]
        # casefold: Clip and clip are the same folder on some systems
        wanted = Counter(own[level].casefold() for own in candidates.values())
        taken = {name.casefold() for name in names.values()}
        for location in waiting:
            name = candidates[location][level]
            key = name.casefold()
            is_free = wanted[key] == 1 and key not in taken and recorded_source(output / name) is None
            if is_free or level == num_levels - 1:
                names[location] = name
    return [replace(source, name=names[source.location]) for source in sources]


def _candidates(source: Source) -> tuple[str, ...]:
    """Return possible names, best first; each depends on the video alone, and the last one is unique."""
    digest = hashlib.sha256(source.location.text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    if not source.location.is_local:
        host = as_folder_name(urlsplit(source.location.text).hostname or "stream")
        return source.name, f"{host}-{source.name}", f"{host}-{source.name}", f"{source.name}-{digest}"
    path = source.location.path.absolute()
    folder, whole_name = as_folder_name(path.parent.name), as_folder_name(path.name)
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return source.name, f"{folder}-{source.name}", f"{folder}-{whole_name}", f"{source.name}-{digest}"


def _holds(folder: Path, source: Source) -> bool:
    """Return whether the folder has a result of this video, even if the video was moved since."""
    recorded = recorded_source(folder)
    if recorded is None:
        return False
    if not source.location.is_local:
        return recorded.path == source.location.text
    path, before = source.location.path, Path(recorded.path)
    if before.absolute() == path.absolute() or before.resolve() == path.resolve():
        return True
    stamp = (recorded.size_bytes, recorded.modified_ns)
    is_same_file = before.name == path.name and stamp == source_stamp(path) and stamp[0] is not None
    return is_same_file and not before.exists()
