"""The loop over the frames of a video: batches of whole windows, encoded together, associated in order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ovvis_cli.inference.batching import batches
from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.profiler import NO_PROFILER, Profiler
from ovvis_cli.video.frames import Frame
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.structures import FrameResult, WindowResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedBatch:
    """Frames of one batch with the results of their windows."""

    frames: Sequence[Frame]
    windows: Sequence[WindowResult]

    @property
    def results(self) -> list[FrameResult]:
        """The result of each frame, in order."""
        return [result for window in self.windows for result in window.frames]


def segment_frames(
    frames: Iterable[Frame],
    *,
    engine: Engine,
    segmenter: VideoSegmenter[Any],
    batch_size: int,
    profiler: Profiler = NO_PROFILER,
) -> Iterator[SegmentedBatch]:
    """Yield the batches of a video as they are finished.

    Args:
        frames: all of one size; the first one starts a window.
        engine: runs the networks.
        segmenter: from `engine.new_segmenter()`; holds the state of the video.
        batch_size: frames encoded together; rounded up to whole windows.
        profiler: measures each stage.
    """
    window = engine.model.spec.window
    for batch in batches(frames, size=-(-batch_size // window) * window):
        with profiler.stage("preprocess", num_frames=len(batch)):  # contains the stages of the networks
            encoded = engine.encode(segmenter, [frame.image for frame in batch])
        with profiler.stage("associate", num_frames=len(batch)):
            indices = [frame.frame_index for frame in batch]
            windows = [
                segmenter.step(one, indices[first : first + window])
                for one, first in zip(encoded, range(0, len(batch), window), strict=True)
            ]
        yield SegmentedBatch(frames=batch, windows=windows)
