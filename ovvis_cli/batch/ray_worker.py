"""A worker of a Ray cluster: it loads the model once, then segments one video after another."""

from dataclasses import dataclass
from pathlib import Path

from ovvis_cli.batch.many_inputs import Done, Failed, process_each
from ovvis_cli.batch.one_video import VideoRun
from ovvis_cli.batch.request import SegmentRequest, request_engine, request_query
from ovvis_cli.batch.scratch import Scratch
from ovvis_cli.batch.worker import BatchWorker, Places, run_options
from ovvis_cli.console import Console, configure_logging
from ovvis_cli.errors import OvvisError
from ovvis_cli.video.inputs import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RayWorkerOptions:
    """Where a worker writes. The scratch space is on its own machine."""

    output: str  # a folder that all machines see, or an address
    scratch: Path | None
    scratch_gb: float


class Worker:
    """Segments videos in a process of its own. Knows nothing of Ray, which calls its methods."""

    def __init__(self, request: SegmentRequest, *, options: RayWorkerOptions) -> None:
        configure_logging(debug=False)
        self._request = request
        self._options = options
        self._worker: BatchWorker | None = None
        self._num_frames = 0

    def start(self) -> OvvisError | None:
        """Load the model and embed the names; return the error if that is not possible here."""
        try:
            engine = request_engine(self._request)
            options = self._options
            self._worker = BatchWorker(
                engine=engine,
                query=request_query(self._request, engine),
                options=run_options(self._request, output=options.output),
                places=Places(
                    output=options.output, scratch=Scratch(options.scratch, limit_gb=options.scratch_gb)
                ),
            )
        except OvvisError as error:
            return error
        return None

    def segment(self, source: Source) -> Done[VideoRun] | Failed:
        """Segment one video, or resume an earlier attempt; `start` was called before."""
        worker = self._worker
        assert worker is not None, "start() comes first"

        def process(video: Source) -> VideoRun:
            return worker.segment(video, console=Console(quiet=True), on_step=self._count_frame)

        (outcome,) = process_each([source], process)
        return outcome

    def num_frames(self) -> int:
        """Return the number of frames so far, analysed or drawn; called while `segment` is running."""
        return self._num_frames

    def _count_frame(self) -> None:
        self._num_frames += 1
