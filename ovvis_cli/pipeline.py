"""The pipeline: plan -> analyse -> label -> export. The file to read first.

    plan_job     probe the source and fix every setting that affects masks (inference/job.py)
    analyse      read_frames -> encode -> step -> write -> finish: a record with masks, tracks and tokens
    label        label tracks with the requested names (labelling/class_query.py), from their tokens
    export       write files from the record alone (exporters/)

`ovvis segment` and `ovvis_cli.segment` run all stages; `ovvis evaluate` shares the loop over frames
(inference/frame_loop.py). Frames are prefetched in one thread and results are written in another. A resumed
run starts its batches at the same frames as an uninterrupted one, so both write the same bytes.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ovvis_cli.exporters import ExportFormat
from ovvis_cli.exporters.export import ensure_exports
from ovvis_cli.inference.background_writer import BackgroundRecordWriter
from ovvis_cli.inference.batching import of_one_size
from ovvis_cli.inference.frame_loop import SegmentedBatch, segment_frames
from ovvis_cli.inference.job import Job
from ovvis_cli.inference.profiler import NO_PROFILER, Profiler, profile_items
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.labelling.relabel import relabel
from ovvis_cli.record.encoding import track_entries
from ovvis_cli.record.reader import Record, finished_header
from ovvis_cli.record.schema import RecordHeader, TrackLabel
from ovvis_cli.record.writer import RecordWriter, remove_checkpoint
from ovvis_cli.video.reader import Frame, ReadReport, prefetch, read_frames
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.structures import FrameResult, TrackSummary

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedFrame:
    """One analysed frame: its image, at the size of its masks, and its provisional result."""

    frame: Frame
    result: FrameResult
    labels: Mapping[int, TrackLabel]  # by track id; provisional, and only with `AnalyseOptions.live`
    num_analysed: int  # frames up to this one, including those of an earlier, interrupted run


def analyse(
    job: Job,
    *,
    query: ClassQuery,
    folder: Path,
    overwrite: bool = False,
    on_frame: Callable[[AnalysedFrame], None] | None = None,
    stop: Callable[[], bool] | None = None,
    profiler: Profiler = NO_PROFILER,
) -> Record:
    """Run a job and return its finished record, calling `on_frame` for every frame. See `analyse_frames`."""
    frames = analyse_frames(
        job, query=query, folder=folder, overwrite=overwrite, stop=stop, profiler=profiler
    )
    while True:
        try:
            frame = next(frames)
        except StopIteration as end:
            record: Record = end.value
            return record
        if on_frame is not None:
            on_frame(frame)


def analyse_frames(
    job: Job,
    *,
    query: ClassQuery,
    folder: Path,
    overwrite: bool = False,
    stop: Callable[[], bool] | None = None,
    profiler: Profiler = NO_PROFILER,
) -> Generator[AnalysedFrame, None, Record]:
    """Yield the frames as they are analysed and return the finished record.

    An interrupted run is resumed after its last batch; its frames are not yielded again. A finished record of
    this job is returned unchanged, with its existing labels. `stop` is called after every batch and ends the
    video when it returns True, for cameras and other streams without an end. `profiler` measures each stage.

    Raises:
        RecordError: the folder holds a finished record of another job, and `overwrite` is not set.
        VideoError: the video cannot be decoded.
        UsageError: no frame lies in the requested range.
        ResourceError: the disk is full or not writable.
    """
    if not overwrite and finished_header(folder, fingerprint=job.fingerprint) is not None:
        remove_checkpoint(folder)
        return Record.open(folder)
    segmenter = job.engine.new_segmenter()
    report = ReadReport()
    with RecordWriter(folder, fingerprint=job.fingerprint, overwrite=overwrite, source=job.source) as writer:
        next_frame = _resume(segmenter, writer, device=job.engine.device)
        frames = _prefetched_frames(job, next_frame=next_frame, report=report, profiler=profiler)
        batches = segment_frames(
            frames,
            engine=job.engine,
            segmenter=segmenter,
            batch_size=job.options.batch_size,
            profiler=profiler,
        )
        with closing(frames), BackgroundRecordWriter(writer, profiler=profiler) as record_writer:
            for batch in batches:
                record_writer.write(batch.results, frames=batch.frames, state=segmenter.state())
                yield from _analysed(batch, segmenter=segmenter, query=query, live=job.options.live)
                if stop is not None and stop():
                    break
        return _finalise(job, writer=writer, segmenter=segmenter, query=query, report=report)


def label_and_export(
    record: Record,
    *,
    query: ClassQuery,
    formats: Sequence[ExportFormat],
    source: Path | None = None,
    video_progress: Callable[[int], None] | None = None,
) -> tuple[Record, dict[ExportFormat, Path]]:
    """Relabel a finished record if its vocabulary differs from the query's, and write missing exports.

    `source` is where the video is, if not at the path in the record.

    Raises:
        RecordError: the tokens of the record do not fit the query.
        VideoError: the video cannot be read again, for the overlay or the report.
        ResourceError: the disk is full or not writable.
    """
    if record.header.vocabulary != query.vocabulary:
        record = relabel(record, query)
    return ensure_exports(record, formats, source=source, video_progress=video_progress)


def _resume(segmenter: VideoSegmenter[Any], writer: RecordWriter, *, device: torch.device) -> int:
    """Open the record and restore the state at its end; return the index of the next frame."""
    point = writer.resume()
    if point is None:
        return 0
    segmenter.load_state_dict(point.state, device=device)
    logger.info("%s: resuming at frame %d", writer.folder, point.next_frame)
    return point.next_frame


def _prefetched_frames(
    job: Job, *, next_frame: int, report: ReadReport, profiler: Profiler
) -> Generator[Frame, None, None]:
    """Prefetch the frames from `next_frame` on; `report` also covers earlier frames."""
    options = job.options
    frames = read_frames(
        job.location,
        start_s=options.start_s,
        end_s=options.end_s,
        stride=options.stride,
        # skipped images are not decoded, so the report would lack damage among them
        skip_frames=0 if job.info.kind == "images" else next_frame,
        rate=job.rate,
        report=report,
    )
    decoded = profile_items(frames, profiler=profiler, name="decode")
    wanted: Iterator[Frame] = (frame for frame in decoded if frame.frame_index >= next_frame)
    if job.info.kind != "images":  # images keep their sizes; a batch ends where the size changes
        wanted = of_one_size(wanted, frame_hw=job.frame_hw, name=job.location.display_name)
    return prefetch(
        wanted,
        capacity=2 * options.batch_size,
        when_full="drop-oldest" if options.live and job.info.kind == "stream" else "wait",
    )


def _analysed(
    batch: SegmentedBatch, *, segmenter: VideoSegmenter[Any], query: ClassQuery, live: bool
) -> Generator[AnalysedFrame, None, None]:
    results = batch.results
    labels: dict[int, TrackLabel] = {}
    if live:
        shown = {track_id for result in results for track_id in result.track_ids.tolist()}
        tracks = [track for track in segmenter.finish().tracks if track.track_id in shown]
        answers = _labels(tracks, query)
        labels = {track.track_id: label for track, label in zip(tracks, answers, strict=True)}
    first = segmenter.num_frames - len(results) + 1
    for number, (frame, result) in enumerate(zip(batch.frames, results, strict=True), start=first):
        yield AnalysedFrame(frame=frame, result=result, labels=labels, num_analysed=number)


def _finalise(
    job: Job,
    *,
    writer: RecordWriter,
    segmenter: VideoSegmenter[Any],
    query: ClassQuery,
    report: ReadReport,
) -> Record:
    """Label the tracks and complete the record."""
    video = segmenter.finish()
    header = RecordHeader(
        fingerprint=job.fingerprint,
        source=job.source_after(report),
        model=job.engine.model_info,
        vocabulary=query.vocabulary,
        settings=job.settings,
        analysed=job.analysed(video.num_frames),
        saved=(),
        tracks=track_entries(video.tracks, labels=_labels(video.tracks, query), times_s=writer.track_times()),
    )
    return writer.finalise(
        header,
        track_ids=np.array([track.track_id for track in video.tracks], dtype=np.int64),
        tokens=_tokens(video.tracks, embed_dim=job.engine.model.spec.token_dim),
        object_scores=_object_scores(video.tracks),
    )


def _labels(tracks: Sequence[TrackSummary], query: ClassQuery) -> list[TrackLabel]:
    tokens = _tokens(tracks, embed_dim=query.rows.embeds.shape[1])
    return query.label(torch.from_numpy(tokens), torch.from_numpy(_object_scores(tracks)))


def _tokens(tracks: Sequence[TrackSummary], *, embed_dim: int) -> np.ndarray:
    tokens = np.zeros((len(tracks), embed_dim), dtype=np.float32)
    for row, track in enumerate(tracks):
        tokens[row] = track.instance_token
    return tokens


def _object_scores(tracks: Sequence[TrackSummary]) -> np.ndarray:
    return np.array([track.object_score for track in tracks], dtype=np.float32)
