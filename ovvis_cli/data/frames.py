"""Frames of a data set's videos, prefetched."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ovvis_cli.data.tracks import AnnotatedVideo
from ovvis_cli.errors import VideoError

_WAITING_PER_WORKER = 4


def frame_paths(video: AnnotatedVideo, *, folder: Path) -> list[Path]:
    """Return the paths of a video's frames; LV-VIS lists some with longer paths and backslashes.

    The last two parts of a name, folder and file, are the same in all data sets but BURST.
    """
    paths = []
    for name in video.file_names:
        path = folder / name
        if not path.exists():
            path = folder.joinpath(*name.replace("\\", "/").split("/")[-2:])
        paths.append(path)
    return paths


def read_frames(
    paths: Sequence[Path], *, frame_hw: tuple[int, int], num_workers: int
) -> Generator[UInt8[np.ndarray, "H0 W0 3"], None, None]:
    """Yield RGB frames in order, resized to `frame_hw` if a file has another size (some in LV-VIS).

    Raises:
        VideoError: a file is missing or not an image.
    """
    with ThreadPoolExecutor(num_workers, thread_name_prefix="ovvis-frames") as workers:
        waiting: deque[Future[UInt8[np.ndarray, "H0 W0 3"]]] = deque()
        try:
            for path in paths:
                waiting.append(workers.submit(_read_frame, path, frame_hw=frame_hw))
                if len(waiting) > _WAITING_PER_WORKER * num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


def _read_frame(path: Path, *, frame_hw: tuple[int, int]) -> UInt8[np.ndarray, "H0 W0 3"]:
    image = _decode(path)
    if image.shape[:2] != frame_hw:
        image = cv2.resize(image, frame_hw[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _decode(path: Path) -> np.ndarray:
    try:
        encoded = np.fromfile(path, dtype=np.uint8)  # cv2.imread cannot open non-ASCII names on every system
    except OSError as error:
        raise VideoError(
            f"cannot read the frame {path}: {error.strerror}",
            hint="`ovvis evaluate --check` lists what is missing",
        ) from error
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if image is None:
        raise VideoError(f"{path} is not a readable image")
    return np.asarray(image)
