"""What a report page shows of a video, collected in one read of it: small video, outlines, crops, poster."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import cv2
import numpy as np
from jaxtyping import UInt8

from ovvis_cli.exporters.report.best_frames import BestFrame, cut_out, small_jpeg
from ovvis_cli.exporters.report.outlines import Outline, outline
from ovvis_cli.exporters.report.page import embedded_json, jpeg_address
from ovvis_cli.exporters.source_frames import SourceFrame, fitted_mask, source_frames
from ovvis_cli.exporters.tracks import labelled_tracks
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import FrameLine, InstanceLine, RecordHeader
from ovvis_cli.rle import rle_area
from ovvis_cli.video.reader import probe
from ovvis_cli.video.writer import OverlayWriter

_MAX_SIDE_PX: Final = 960  # of the video in the page
_CROP_SIDE_PX: Final = 160
_POSTER_SIDE_PX: Final = 320
_ENCODING: Final = {"crf": "26", "preset": "veryfast", "g": "50"}  # a key frame every 50: seeking is fast


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The small parts of the material; the video and the outlines are in files."""

    end_s: float  # when the last frame ends, in the time of the source
    crops: Mapping[int, str]  # by track id; data addresses
    poster: Mapping[str, object]  # `image`, a data address, and the `outlines` on it


def collect_material(
    record: Record,
    location: str | Path,
    *,
    best: Mapping[int, BestFrame],
    video: Path,
    outlines: Path,
    progress: Callable[[int], None] | None,
) -> Material:
    """Read the video once, writing it small to `video` and the outlines of its tracks to `outlines`.

    `outlines` is a JSON list of [time, [[track, score, x, y, path], ...]], one per line of the record; (x, y)
    is where a label is drawn. Memory does not grow with the video.

    Raises:
        RecordError: the record is damaged, or continues after the end of the video.
        VideoError: the source cannot be decoded, or the small video cannot be encoded.
    """
    header = record.header
    shown_wh = _shown_size_wh(header)
    frames = source_frames(record, location)
    with (
        closing(frames),
        outlines.open("w", encoding="utf-8") as lines,
        OverlayWriter(
            video,
            width=shown_wh[0],
            height=shown_wh[1],
            start_s=header.analysed.start_s,
            sample_aspect=probe(location).sample_aspect,
            encoding=_ENCODING,
        ) as writer,
    ):
        collector = _Collector(lines, header=header, best=best)
        for num_done, frame in enumerate(frames, start=1):
            writer.write(_resized(frame.image, size_wh=shown_wh), time_s=frame.time_s)
            collector.add(frame)
            if progress is not None:
                progress(num_done)
        return collector.finish()


class _Collector:
    """Writes the outlines of frames as they come, and keeps crops and the poster."""

    def __init__(self, lines: IO[str], *, header: RecordHeader, best: Mapping[int, BestFrame]) -> None:
        self._lines = lines
        self._best = best
        self._tolerance_px = max(1.0, max(header.source.height, header.source.width) / _MAX_SIDE_PX)
        self._poster_frame = _poster_frame(header, best=best)
        self._last_line: FrameLine | None = None
        self._times_s: tuple[float, float] | None = None  # of the last two frames
        self._crops: dict[int, str] = {}
        self._poster: dict[str, object] = {}

    def add(self, frame: SourceFrame) -> None:
        is_first = self._times_s is None
        self._times_s = (frame.time_s if self._times_s is None else self._times_s[1], frame.time_s)
        if not is_first and frame.line is self._last_line:
            return  # between two analysed frames
        self._last_line = frame.line
        instances = self._outlined(frame)
        shown = [
            [entry.track_id, round(entry.score, 3), *outlined.main_box_xywh[:2], outlined.path]
            for entry, outlined in instances
        ]
        self._lines.write("[\n" if is_first else ",\n")
        self._lines.write(embedded_json([round(frame.time_s, 6), shown]))
        for entry, outlined in instances:
            if self._best[entry.track_id].frame_index == frame.frame_index:
                crop = cut_out(frame.image, outlined.main_box_xywh, max_side_px=_CROP_SIDE_PX)
                self._crops[entry.track_id] = jpeg_address(crop)
        if is_first or frame.frame_index == self._poster_frame:
            image = small_jpeg(frame.image, max_side_px=_POSTER_SIDE_PX)
            self._poster = {"image": jpeg_address(image), "outlines": shown}

    def finish(self) -> Material:
        self._lines.write("\n]")
        before_s, last_s = self._times_s or (0.0, 0.0)
        return Material(end_s=2 * last_s - before_s, crops=self._crops, poster=self._poster)

    def _outlined(self, frame: SourceFrame) -> list[tuple[InstanceLine, Outline]]:
        """Return the labelled instances, larger ones first, so that small ones lie on top."""
        entries = () if frame.line is None else frame.line.instances
        shown = [entry for entry in entries if entry.track_id in self._best]
        height, width = frame.image.shape[:2]
        return [
            (entry, outline(fitted_mask(entry, frame_hw=(height, width)), tolerance_px=self._tolerance_px))
            for entry in sorted(shown, key=lambda entry: -rle_area(entry.rle))
        ]


def _poster_frame(header: RecordHeader, *, best: Mapping[int, BestFrame]) -> int | None:
    """Return the best frame of the track with the highest score."""
    tracks = [track for track in labelled_tracks(header).values() if track.track_id in best]
    if not tracks:
        return None
    return best[max(tracks, key=lambda track: track.score or 0.0).track_id].frame_index


def _shown_size_wh(header: RecordHeader) -> tuple[int, int]:
    """Return the size of the video in the page: at most 960 a side, and even, as its pixel format needs."""
    sides = (header.source.width, header.source.height)
    scale = min(1.0, _MAX_SIDE_PX / max(sides))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in sides)
    return width, height


def _resized(image: UInt8[np.ndarray, "H0 W0 3"], *, size_wh: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
    if (image.shape[1], image.shape[0]) == size_wh:
        return image
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
