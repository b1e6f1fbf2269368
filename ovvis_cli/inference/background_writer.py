"""Encoding and writing of finished batches in a background thread."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from ovvis_cli.inference.profiler import NO_PROFILER, Profiler
from ovvis_cli.record.encoding import encode_frame
from ovvis_cli.record.schema import ImageEntry
from ovvis_cli.record.writer import RecordWriter
from ovvis_cli.video.reader import Frame
from ovvis_models.segmenter import SegmenterState
from ovvis_models.structures import FrameResult


class BackgroundRecordWriter:
    """Record writer that writes one batch while the next one is computed.

    At most one batch is pending, so memory use is constant. Leaving the context waits for the pending batch,
    even after an exception, so that finished results are on disk before the program ends.
    """

    def __init__(self, writer: RecordWriter, *, profiler: Profiler = NO_PROFILER) -> None:
        self._writer = writer
        self._profiler = profiler
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ovvis-write")
        self._pending: Future[None] | None = None

    def write(
        self, results: Sequence[FrameResult], *, frames: Sequence[Frame], state: SegmenterState
    ) -> None:
        """Write the next results, and the state after them from which an interrupted run resumes.

        Only times, names and sizes of `frames` are kept, not their images.

        Raises:
            ResourceError: the disk was full when the previous batch was written.
        """
        self._finish_batch()
        times_s, images = [frame.time_s for frame in frames], [_image_entry(frame) for frame in frames]
        self._pending = self._pool.submit(self._write, list(results), times_s, images, state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish_batch()
        finally:
            self._pool.shutdown(wait=True)

    def _finish_batch(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _write(
        self,
        results: list[FrameResult],
        times_s: list[float],
        images: list[ImageEntry | None],
        state: SegmenterState,
    ) -> None:
        for result, time_s, image in zip(results, times_s, images, strict=True):
            with self._profiler.stage("encode", num_frames=1):
                line = encode_frame(result, time_s=time_s, image=image)
            with self._profiler.stage("write", num_frames=1):
                self._writer.append(line)
        with self._profiler.stage("checkpoint", num_frames=len(results)):
            self._writer.checkpoint(state.changing, results[-1].frame_index + 1, fixed=state.fixed)


def _image_entry(frame: Frame) -> ImageEntry | None:
    if frame.image_name is None:
        return None
    height, width, _ = frame.image.shape
    return ImageEntry(name=frame.image_name, size_hw=(height, width))
