"""Overlay drawn while the video is read, with provisional labels.

For streams that cannot be read twice. Labels may change during the run, so the overlay of a finished record
is better.
"""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from ovvis_cli.exporters.drawing import DrawnInstance, Painter, boxed
from ovvis_cli.exporters.letterbox import letterbox_image, letterbox_mask
from ovvis_cli.record.schema import TrackLabel
from ovvis_cli.video.location import Location
from ovvis_cli.video.reader import Frame
from ovvis_cli.video.writer import OverlayWriter
from ovvis_models.structures import FrameResult


class LiveOverlay:
    """Context manager for one overlay file, which appears when the context ends without an error."""

    def __init__(
        self,
        path: Path,
        *,
        frame_hw: tuple[int, int],
        source: Location | None,
        start_s: float,
        end_s: float | None,
        sample_aspect: Fraction = Fraction(1),
    ) -> None:
        """Create no file yet.

        Args:
            path: the MP4 file; its folder is created with the first frame.
            frame_hw: size of the video; frames of another size are fitted into it.
            source: source of the sound; None if it cannot be opened a second time.
            start_s: time in the source that becomes zero in the file.
            end_s: end of the sound in the source's time; None for its whole length.
            sample_aspect: displayed width : height of a pixel.
        """
        self._path = path
        self._frame_hw = frame_hw
        self._painter = Painter(frame_hw=frame_hw)
        self._writer = OverlayWriter(
            path,
            width=frame_hw[1],
            height=frame_hw[0],
            source=source,
            start_s=start_s,
            end_s=end_s,
            sample_aspect=sample_aspect,
        )
        self._is_open = False

    def write(self, frame: Frame, *, result: FrameResult, labels: Mapping[int, TrackLabel]) -> None:
        """Append a frame, drawing the instances that have a label at this moment.

        Raises:
            VideoError: the file cannot be written.
            ResourceError: the disk is full.
        """
        if not self._is_open:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer.__enter__()
            self._is_open = True
        instances = _drawn_instances(result, labels=labels, frame_hw=self._frame_hw)
        image = letterbox_image(frame.image, frame_hw=self._frame_hw)
        image = self._painter.draw(image, instances) if instances else image
        self._writer.write(image, time_s=frame.time_s, offset_s=frame.offset_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_open:
            self._writer.__exit__(kind, error, trace)


def _drawn_instances(
    result: FrameResult, *, labels: Mapping[int, TrackLabel], frame_hw: tuple[int, int]
) -> list[DrawnInstance]:
    drawn = []
    for track_id, mask in zip(result.track_ids.tolist(), result.masks, strict=True):
        label = labels.get(track_id)
        if label is None or label.label is None or label.score is None:
            continue
        drawn.append(
            boxed(
                letterbox_mask(mask, frame_hw=frame_hw),
                track_id=track_id,
                caption=f"{label.label} #{track_id}  {label.score:.2f}",
            )
        )
    return drawn
