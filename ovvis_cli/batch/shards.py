"""Shards: a split of many videos over several machines that does not depend on the other videos."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from ovvis_cli.errors import UsageError
from ovvis_cli.video.location import Location

_NUM_NAME_PARTS = 2  # the file and its folder: more would differ between machines with other mount points


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Part `index` of `count` parts; the first one is 0."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, location: Location) -> bool:
        """Return whether the video is in this shard; each video is in exactly one shard of `count`."""
        return shard_index(location, count=self.count) == self.index


def shard_index(location: Location, *, count: int) -> int:
    """Return the shard of a video among `count`, from a hash of its name and the name of its folder."""
    digest = hashlib.sha256(_own_name(location).encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % count


def parse_shard(text: str) -> Shard:
    """Parse "I/N", such as "0/4".

    Raises:
        UsageError: the text is not such a pair, or I is not below N.
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    if match is None or int(match[1]) >= int(match[2]):
        raise UsageError(
            f"--shard: {text!r} is not a valid shard", hint="write I/N with I from 0 to N-1, such as 0/4"
        )
    return Shard(index=int(match[1]), count=int(match[2]))


def shard_of_slurm(environment: Mapping[str, str]) -> Shard | None:
    """Return the shard of this task of a SLURM job array; None outside of one, or if it has one task.

    The array may begin at any number (`--array=1-8`) and have a step (`--array=0-14:2`).

    Raises:
        UsageError: the numbers of the array's tasks do not follow each other in equal steps.
    """
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP")
    texts = [environment.get(name, default) for name, default in zip(names, ("", "", "0", "1"), strict=True)]
    if not all(text.isdecimal() for text in texts):
        return None
    task, count, first, step = (int(text) for text in texts)
    if count <= 1:
        return None
    index, rest = divmod(task - first, max(step, 1))
    if rest or not 0 <= index < count:
        raise UsageError(
            f"task {task} of the SLURM array has no place among {count} tasks",
            hint=f"number the tasks with --array=0-{count - 1}, or give --shard I/N",
        )
    return Shard(index=index, count=count)


def _own_name(location: Location) -> str:
    parts = location.path.absolute().parts if location.is_local else (location.text,)
    # file systems differ in the form of accented letters
    return unicodedata.normalize("NFC", "/".join(parts[-_NUM_NAME_PARTS:]))
