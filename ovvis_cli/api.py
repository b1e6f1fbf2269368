"""Python interface of `ovvis segment`, as an iterator over frames and as a finished record."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from ovvis_cli.choices import DEFAULT_BATCH_SIZE, ExportFormat
from ovvis_cli.errors import UsageError
from ovvis_cli.inference.engine import start_engine
from ovvis_cli.inference.job import AnalyseOptions, plan_job
from ovvis_cli.inference.result_names import named_sources
from ovvis_cli.inference.tracker_options import TrackerOptions
from ovvis_cli.labelling.class_query import ClassQuery, make_query
from ovvis_cli.labelling.class_rows import read_text_embeddings
from ovvis_cli.model_store.default_model import default_model
from ovvis_cli.pipeline import AnalysedFrame, analyse_frames, label_and_export
from ovvis_cli.record.reader import Record, instance_mask
from ovvis_cli.record.schema import MASKS_NAME, FrameLine
from ovvis_cli.record.serialise import frame_from_text
from ovvis_cli.vocabulary.names import Vocabulary, parse_classes, resolve_vocabulary, vocabulary_of_names
from ovvis_models.systems.spec import ClassifierName, Rules, TrackerName


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedFrame:
    """Masks and scores of one frame by track id. Labels need the whole video: see `Segmentation.result`."""

    frame_index: int  # 0-based, in decoded order of the whole source
    time_s: float
    track_ids: Int[np.ndarray, " N"]
    scores: Float[np.ndarray, " N"]  # object score in this frame, [0, 1]
    masks: Bool[np.ndarray, "N H0 W0"]


class Segmentation:
    """Segmentation of one video, computed while it is iterated. Created by `segment`.

    Iteration yields every frame once, in order, including frames that an earlier, interrupted run analysed.
    Leaving the loop early stops the computation; another loop, `result()`, or another `segment` of the same
    video resumes it there.
    """

    def __init__(
        self,
        analysis: Generator[AnalysedFrame, None, Record],
        *,
        folder: Path,
        frame_hw: tuple[int, int],
        query: ClassQuery,
        save: Sequence[ExportFormat],
    ) -> None:
        self.folder = folder
        self._analysis = analysis
        self._frame_hw = frame_hw
        self._query = query
        self._save = tuple(save)
        self._record: Record | None = None
        self._frames = self._run()

    def __iter__(self) -> Iterator[SegmentedFrame]:
        """Return an iterator over the frames that were not iterated yet."""
        return self._frames

    def result(self) -> Record:
        """Segment the frames that were not iterated yet and return the finished record.

        The record has `.header.tracks` with labels, scores and time spans, `.frames()` and `.tokens()`.
        """
        for _ in self._frames:
            pass
        if self._record is None:
            raise RuntimeError("this segmentation was closed or failed; call segment() again to resume it")
        return self._record

    def close(self) -> None:
        """Stop and close all files. Analysed frames are kept for the next `segment` of this video."""
        self._frames.close()
        self._analysis.close()

    def _run(self) -> Generator[SegmentedFrame, None, None]:
        is_first = True
        while True:
            try:
                analysed = next(self._analysis)
            except StopIteration as end:
                record: Record = end.value
                break
            if is_first:
                yield from self._earlier(num_frames=analysed.num_analysed - 1)
                is_first = False
            yield _from_analysis(analysed)
        if is_first:  # nothing was left to analyse
            yield from (self._from_line(line) for line in record.frames())
        self._record = self._completed(record)

    def _earlier(self, *, num_frames: int) -> Iterator[SegmentedFrame]:
        """Yield the frames of an interrupted run; later lines of the file are still being written."""
        path = self.folder / MASKS_NAME
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(islice(lines, num_frames), start=1):
                yield self._from_line(frame_from_text(line, where=f"{path}:{number}"))

    def _from_line(self, line: FrameLine) -> SegmentedFrame:
        frame_hw = self._frame_hw if line.image is None else line.image.size_hw
        masks = np.zeros((len(line.instances), *frame_hw), dtype=np.bool_)
        for row, instance in enumerate(line.instances):
            masks[row] = instance_mask(instance)
        return SegmentedFrame(
            frame_index=line.frame_index,
            time_s=line.time_s,
            track_ids=np.array([instance.track_id for instance in line.instances], dtype=np.int64),
            scores=np.array([instance.score for instance in line.instances], dtype=np.float32),
            masks=masks,
        )

    def _completed(self, record: Record) -> Record:
        """Relabel the record if it has other names, and write missing exports."""
        return label_and_export(record, query=self._query, formats=self._save)[0]


def segment(  # noqa: PLR0913  one parameter for each option of the command
    source: str | Path,
    *,
    classes: Sequence[str] | str | None = None,
    vocabulary: str | None = None,
    output: str | Path = "ovvis-out",
    save: Sequence[ExportFormat] = (),
    distractors: bool = True,
    score_threshold: float = 0.0,
    max_tracks: int | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    stride: int = 1,
    fps: float | Fraction | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    model: str | Path | None = None,
    adapter: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    tracker: TrackerName | None = None,
    classifier: ClassifierName | None = None,
    rules: Rules = "product",
    short_side: int | None = None,
    text_embeddings: str | Path | None = None,
    overwrite: bool = False,
) -> Segmentation:
    """Find, segment and track every object of the named classes in one video.

        for frame in segment("street.mp4", classes=["dog", "skateboard"]):
            print(frame.time_s, frame.track_ids, frame.masks.shape)

        for track in segment("street.mp4", classes=["dog"]).result().header.tracks:
            print(track.track_id, track.label, track.score)

    The record is written to `output`/<name of the source>, as by the command. A finished record is not
    computed again, and an interrupted run is resumed.

    Args:
        source: a video file, a folder of images, a URL, or a camera number.
        classes: the names to find; a string is split at commas. Give this or `vocabulary`.
        vocabulary: the names of a data set, such as "lvis".
        output: the folder in which the record's folder is created.
        save: formats to export beside the record, such as "overlay" and "coco".
        distractors: whether the names also compete with a general vocabulary.
        score_threshold: minimum score of a labelled track, [0, 1].
        max_tracks: maximum number of labelled tracks.
        start_s: start time in seconds.
        end_s: end time in seconds; None for the end of the video.
        stride: analyse every `stride`-th frame.
        fps: frames per second of images and raw streams, which have no time stamps.
        batch_size: number of frames per batch.
        model: a name of the catalog, or the path of a weights file; None for OVVIS_MODEL, or the best one
            installed.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".
        adapter: an adapter file with weights trained on top of the model.
        tracker: "rollout", "adjacent", "momentum", "top-k", "previous-frame" or "propagation"; None for the
            model's default.
        classifier: "instclip" or "masked-crops"; None for the model's default.
        rules: "product", or "published" for the association of the model's paper: every query is a track.
        short_side: shorter side in pixels to which frames are resized; None for the model's default.
        text_embeddings: a .npy file with one row per name, used instead of the text encoder.
        overwrite: replace a finished record.

    Raises:
        OvvisError: any error that the command exits with; see `ovvis_cli.errors`.
    """
    names = _vocabulary(classes, vocabulary)
    sources = named_sources([str(source)], output=Path(output))
    if len(sources) != 1:
        raise UsageError(f"{source} contains {len(sources)} videos", hint="call segment() for each of them")
    chosen = default_model() if model is None else model
    engine = start_engine(
        chosen,
        adapter=None if adapter is None else Path(adapter),
        device=device,
        precision=precision,
        tracker=TrackerOptions(name=tracker),
        classifier=classifier,
        rules=rules,
        short_side=short_side,
    )
    query = make_query(
        engine.model,
        names,
        distractors=distractors,
        score_threshold=score_threshold,
        max_tracks=max_tracks,
        text_embeddings=None if text_embeddings is None else read_text_embeddings(Path(text_embeddings)),
    )
    options = AnalyseOptions(
        start_s=start_s, end_s=end_s, stride=stride, rate=_rate(fps), batch_size=batch_size
    )
    job = plan_job(sources[0].location, engine=engine, options=options)
    folder = Path(output) / sources[0].name
    return Segmentation(
        analyse_frames(job, query=query, folder=folder, overwrite=overwrite),
        folder=folder,
        frame_hw=job.frame_hw,
        query=query,
        save=save,
    )


def _rate(fps: float | Fraction | None) -> Fraction | None:
    return None if fps is None else Fraction(str(fps))


def _vocabulary(classes: Sequence[str] | str | None, table: str | None) -> Vocabulary:
    if classes is None or table is not None:
        return resolve_vocabulary(classes=None if classes is None else str(classes), table=table)
    return parse_classes(classes) if isinstance(classes, str) else vocabulary_of_names(classes)


def _from_analysis(analysed: AnalysedFrame) -> SegmentedFrame:
    return SegmentedFrame(
        frame_index=analysed.result.frame_index,
        time_s=analysed.frame.time_s,
        track_ids=analysed.result.track_ids,
        scores=analysed.result.scores,
        masks=analysed.result.masks,
    )
