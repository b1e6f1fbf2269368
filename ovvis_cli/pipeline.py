"""From a video to its record: the file to read first.

    read_frames --> predict --> step --> write --> finish --> finalise     exporters then read the record
    decodes         networks    tracker  encodes   sums up    names tracks,
    ahead in a                           in a      tracks     closes the
    thread                               thread               record

A batch always begins where it would have begun without a stop, so a run that was killed and carried on leaves
the same bytes as one that was not.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ovvis_cli.inference.background_writer import BackgroundRecordWriter
from ovvis_cli.inference.batching import batches, of_one_size
from ovvis_cli.inference.job import Job
from ovvis_cli.inference.profiler import NO_PROFILER, Profiler, profile_items
from ovvis_cli.labelling.class_query import ClassEmbeds, embed_classes, label_tracks
from ovvis_cli.record.encoding import track_entries
from ovvis_cli.record.reader import Record, finished_header
from ovvis_cli.record.schema import RecordHeader, TrackLabel, VocabularyInfo
from ovvis_cli.record.writer import RecordWriter, remove_checkpoint
from ovvis_cli.video.inputs import display_name
from ovvis_cli.video.reader import Frame, ReadReport, prefetch, read_frames
from ovvis_cli.vocabulary.names import Vocabulary
from ovvis_models.catalog import LoadedModel
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.structures import FrameResult, TrackSummary
from ovvis_models.text.vocabulary import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The names asked for: as records keep them, and as the model sees them. Made by `ask`."""

    vocabulary: VocabularyInfo
    embeds: ClassEmbeds


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedFrame:
    """One frame on its way: its picture, at the size of its masks, and what is known of it so far."""

    frame: Frame
    result: FrameResult
    labels: Mapping[int, TrackLabel]  # by track id; provisional, and only with `AnalyseOptions.live`
    num_analysed: int  # frames up to this one, those of an earlier, stopped run included


def ask(
    model: LoadedModel,
    vocabulary: Vocabulary,
    *,
    distractors: bool = True,
    score_threshold: float = 0.0,
    max_tracks: int | None = None,
    progress: Progress | None = None,
) -> Asked:
    """The vocabulary in the model's eyes, and the rules by which its names are given; see `embed_classes`."""
    info = VocabularyInfo(
        names=vocabulary.names,
        category_ids=vocabulary.category_ids,
        distractors=distractors,
        score_threshold=score_threshold,
        max_tracks=max_tracks,
    )
    embeds = embed_classes(model, vocabulary=vocabulary, distractors=distractors, progress=progress)
    return Asked(vocabulary=info, embeds=embeds)


def analyse(
    job: Job,
    *,
    asked: Asked,
    folder: Path,
    overwrite: bool = False,
    on_frame: Callable[[AnalysedFrame], None] | None = None,
    stop: Callable[[], bool] | None = None,
    profiler: Profiler = NO_PROFILER,
) -> Record:
    """The finished record of a job; see `analyse_frames`. `on_frame` is told of every frame."""
    frames = analyse_frames(
        job, asked=asked, folder=folder, overwrite=overwrite, stop=stop, profiler=profiler
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
    asked: Asked,
    folder: Path,
    overwrite: bool = False,
    stop: Callable[[], bool] | None = None,
    profiler: Profiler = NO_PROFILER,
) -> Generator[AnalysedFrame, None, Record]:
    """Yields the frames as they are analysed and returns the finished record.

    A stopped run is carried on after its last batch; its frames are not yielded again. A finished record of
    this job is returned as it is, with the labels that it has. `stop` is asked after every batch whether the
    video is to end here: a camera has no other end. `profiler` is told when each stage begins and ends.

    Raises:
        RecordError: the folder holds a finished record of something else, and not `overwrite`.
        VideoError: the video cannot be decoded.
        UsageError: no frame lies in the range asked for.
        ResourceError: the disk is full or not writable.
    """
    if not overwrite and finished_header(folder, fingerprint=job.fingerprint) is not None:
        remove_checkpoint(folder)
        return Record.open(folder)
    segmenter = job.engine.new_segmenter()
    report = ReadReport()
    with RecordWriter(folder, fingerprint=job.fingerprint, overwrite=overwrite, source=job.source) as writer:
        next_frame = _resume(segmenter, writer)
        frames = _prefetched_frames(job, next_frame=next_frame, report=report, profiler=profiler)
        with closing(frames), BackgroundRecordWriter(writer, profiler=profiler) as record_writer:
            for batch in batches(frames, size=job.options.batch_size):
                with profiler.stage(
                    "preprocess", num_frames=len(batch)
                ):  # networks in it are stages of their own
                    prediction = job.engine.predict(segmenter, [frame.image for frame in batch])
                with profiler.stage("associate", num_frames=len(batch)):
                    results = segmenter.step(prediction, [frame.frame_index for frame in batch])
                record_writer.write(results, frames=batch, state=segmenter.state_dict())
                yield from _analysed(batch, results, segmenter=segmenter, asked=asked, live=job.options.live)
                if stop is not None and stop():
                    break
        return _finalise(job, writer=writer, segmenter=segmenter, asked=asked, report=report)


def _resume(segmenter: VideoSegmenter, writer: RecordWriter) -> int:
    """Opens the record and brings the segmenter to where it stops; the index of the next frame."""
    point = writer.resume()
    if point is None:
        return 0
    segmenter.load_state_dict(point.state)
    logger.info("%s: going on at frame %d", writer.folder, point.next_frame)
    return point.next_frame


def _prefetched_frames(
    job: Job, *, next_frame: int, report: ReadReport, profiler: Profiler
) -> Generator[Frame, None, None]:
    """The frames from `next_frame` on; `report` accounts for those before as well."""
    options = job.options
    frames = read_frames(
        job.location,
        start_s=options.start_s,
        end_s=options.end_s,
        stride=options.stride,
        # images that are skipped are not decoded: damage among them would be missing in the report
        skip_frames=0 if job.info.kind == "images" else next_frame,
        rate=job.rate,
        report=report,
    )
    decoded = profile_items(frames, profiler=profiler, name="decode")
    wanted: Iterator[Frame] = (frame for frame in decoded if frame.frame_index >= next_frame)
    if job.info.kind != "images":  # images keep their own sizes: a batch ends where the size changes
        wanted = of_one_size(wanted, frame_hw=job.frame_hw, name=display_name(job.location))
    return prefetch(
        wanted,
        capacity=2 * options.batch_size,
        when_full="drop-oldest" if options.live and job.info.kind == "stream" else "wait",
    )


def _analysed(
    batch: Sequence[Frame],
    results: Sequence[FrameResult],
    *,
    segmenter: VideoSegmenter,
    asked: Asked,
    live: bool,
) -> Generator[AnalysedFrame, None, None]:
    labels: dict[int, TrackLabel] = {}
    if live:
        shown = {track_id for result in results for track_id in result.track_ids.tolist()}
        tracks = [track for track in segmenter.finish().tracks if track.track_id in shown]
        answers = _labels(tracks, asked=asked)
        labels = {track.track_id: label for track, label in zip(tracks, answers, strict=True)}
    first = segmenter.num_frames - len(batch) + 1
    for number, (frame, result) in enumerate(zip(batch, results, strict=True), start=first):
        yield AnalysedFrame(frame=frame, result=result, labels=labels, num_analysed=number)


def _finalise(
    job: Job, *, writer: RecordWriter, segmenter: VideoSegmenter, asked: Asked, report: ReadReport
) -> Record:
    video = segmenter.finish()
    labels = _labels(video.tracks, asked=asked)
    header = RecordHeader(
        fingerprint=job.fingerprint,
        source=job.source_after(report),
        model=job.engine.model_info,
        vocabulary=asked.vocabulary,
        settings=job.settings,
        analysed=job.analysed(video.num_frames),
        saved=(),
        tracks=track_entries(video.tracks, labels=labels, times_s=writer.track_times()),
    )
    return writer.finalise(
        header,
        track_ids=np.array([track.track_id for track in video.tracks], dtype=np.int64),
        tokens=_tokens(video.tracks, embed_dim=asked.embeds.class_embeds.shape[1]),
        object_scores=_object_scores(video.tracks),
    )


def _labels(tracks: Sequence[TrackSummary], *, asked: Asked) -> list[TrackLabel]:
    embeds, rules = asked.embeds, asked.vocabulary
    return label_tracks(
        torch.from_numpy(_tokens(tracks, embed_dim=embeds.class_embeds.shape[1])),
        object_scores=torch.from_numpy(_object_scores(tracks)),
        class_embeds=embeds.class_embeds,
        num_asked=embeds.num_asked,
        logit_scale=embeds.logit_scale,
        names=rules.names,
        class_exponent=embeds.class_exponent,
        score_threshold=rules.score_threshold,
        max_tracks=rules.max_tracks,
    )


def _tokens(tracks: Sequence[TrackSummary], *, embed_dim: int) -> np.ndarray:
    tokens = np.zeros((len(tracks), embed_dim), dtype=np.float32)
    for row, track in enumerate(tracks):
        tokens[row] = track.instance_token
    return tokens


def _object_scores(tracks: Sequence[TrackSummary]) -> np.ndarray:
    return np.array([track.object_score for track in tracks], dtype=np.float32)
