"""Assignment of kinds to splits and videos, and the random generator of each video.

Training and validation never share a seed, because the split is part of it.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ovvis_cli.choices import DioramaSplit
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.scene import MAX_OBJECTS

_SPLIT_CODES: Final = {"train": 1, "val": 2}
_CAST_STREAM, _VIDEO_STREAM = 0, 1
_REPEAT_SHARE = 0.2


def split_kinds(kinds: Sequence[Kind], split: DioramaSplit) -> tuple[Kind, ...]:
    """Return the kinds that may appear in a split: base kinds in training, all in validation."""
    return tuple(kind for kind in kinds if split == "val" or not kind.novel)


def video_rng(*, split: DioramaSplit, seed: int, video_index: int) -> np.random.Generator:
    """Return the generator of one video, different for each split, seed and index."""
    entropy = [_SPLIT_CODES[split], seed, _VIDEO_STREAM, video_index]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def plan_casts(
    kinds: Sequence[Kind], *, split: DioramaSplit, seed: int, num_videos: int
) -> tuple[tuple[Kind, ...], ...]:
    """Choose 1 to 6 kinds for each video, in rotation, so that all appear about equally often.

    Sometimes a kind appears twice in a video. The casts of the first videos do not depend on `num_videos`.

    Raises:
        ValueError: `kinds` is empty.
    """
    if not kinds:
        raise ValueError("a data set needs at least one kind")
    rng = np.random.default_rng(np.random.SeedSequence([_SPLIT_CODES[split], seed, _CAST_STREAM]))
    waiting: list[Kind] = []
    casts = []
    for _ in range(num_videos):
        cast: list[Kind] = []
        for _ in range(int(rng.integers(1, MAX_OBJECTS + 1))):
            if cast and rng.random() < _REPEAT_SHARE:
                cast.append(cast[int(rng.integers(len(cast)))])
                continue
            if not waiting:
                waiting = [kinds[int(index)] for index in rng.permutation(len(kinds))]
            cast.append(waiting.pop())
        casts.append(tuple(cast))
    return tuple(casts)
