"""Inference on the videos of a data set, with one of two sets of rules.

    frames --encode, associate--> slots with masks --score all classes--> best (track, class) pairs

- `published`: the protocol of the model's paper. Every query is a slot from the first frame to the last,
  without proposal selection, and the system's own scoring ranks the pairs (`spec.published`).
- `product`: the rules of `ovvis segment`. The score of a pair is class probability times mean object score.

All classes of the data set are scored, without distractors. A track may be listed with several classes.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from ovvis_cli.data.frames import read_frames
from ovvis_cli.data.tracks import AnnotatedVideo
from ovvis_cli.evaluation.evidence_store import EvidenceStore
from ovvis_cli.evaluation.predictions import LabelledTrack, VideoPredictions
from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.frame_loop import segment_frames
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.rle import Rle, encode_masks
from ovvis_cli.video.frames import Frame
from ovvis_models.scoring.evidence import ScoredPairs, evidence_of
from ovvis_models.structures import FrameResult, TrackSummary

TrackMasks = dict[int, list[Rle | None]]
"""Masks of each track by its id, one item per frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Settings for inference on the videos of a data set; the rules are those of the engine."""

    engine: Engine
    query: ClassQuery
    max_entries: int  # results per video
    batch_size: int
    num_workers: int  # threads that decode frames


def predict_video(protocol: Protocol, video: AnnotatedVideo, *, paths: Sequence[Path]) -> VideoPredictions:
    """Return the results of one video, best first.

    Args:
        protocol: model, rules and settings.
        video: the video's entry in the data set.
        paths: paths of its frames.

    Raises:
        VideoError: a frame is missing or unreadable.
    """
    start_s = time.perf_counter()
    predict = _predict_published if protocol.engine.rules == "published" else _predict_product
    tracks = predict(protocol, _frames(protocol, video, paths=paths), num_frames=len(paths))
    return VideoPredictions(
        video_id=video.video_id,
        num_frames=len(paths),
        tracks=tracks,
        seconds=time.perf_counter() - start_s,
    )


def _frames(protocol: Protocol, video: AnnotatedVideo, *, paths: Sequence[Path]) -> Iterator[Frame]:
    images = read_frames(paths, frame_hw=video.frame_hw, num_workers=protocol.num_workers)
    with closing(images):
        for index, image in enumerate(images):
            yield Frame(frame_index=index, time_s=float(index), image=image)


def _predict_product(
    protocol: Protocol, frames: Iterator[Frame], *, num_frames: int
) -> tuple[LabelledTrack, ...]:
    segmenter = protocol.engine.new_segmenter()
    masks: TrackMasks = {}
    for batch in segment_frames(
        frames, engine=protocol.engine, segmenter=segmenter, batch_size=protocol.batch_size
    ):
        for result in batch.results:
            _add_masks(masks, result, num_frames=num_frames)
    tracks = segmenter.finish().tracks
    if not tracks:
        return ()
    scores = _pair_scores(tracks, query=protocol.query, num_frames=num_frames)
    best = np.argsort(-scores, axis=None, kind="stable")[: protocol.max_entries]
    labels: dict[int, list[tuple[int, float]]] = {}
    for row, class_index in zip(*np.unravel_index(best, scores.shape), strict=True):
        category_id = protocol.query.vocabulary.category_ids[class_index]
        labels.setdefault(int(row), []).append((category_id, float(scores[row, class_index])))
    return tuple(
        LabelledTrack(
            track_id=tracks[row].track_id,
            labels=tuple(own),
            masks=tuple(masks.get(tracks[row].track_id, [None] * num_frames)),
        )
        for row, own in labels.items()
    )


def _pair_scores(
    tracks: Sequence[TrackSummary], *, query: ClassQuery, num_frames: int
) -> Float[np.ndarray, "N K"]:
    """Return class probability times object score, in float64 so that written scores keep the ranking.

    The object score is the mean over all frames of the video, counting 0 for frames without the track,
    because track IoU is also measured over the whole video.
    """
    sums = [track.object_score * track.num_frames for track in tracks]
    object_scores = np.asarray(sums, dtype=np.float64).reshape(-1, 1) / num_frames
    tokens = torch.from_numpy(np.stack([track.instance_token for track in tracks]))
    probabilities = query.probabilities(tokens)
    return np.asarray(probabilities.double().numpy() ** query.rows.class_exponent * object_scores)


def _predict_published(
    protocol: Protocol, frames: Iterator[Frame], *, num_frames: int
) -> tuple[LabelledTrack, ...]:
    segmenter = protocol.engine.new_segmenter()
    masks: TrackMasks = {}
    slot_ids: list[int] = []
    published = protocol.engine.model.spec.published
    with EvidenceStore() as store:
        for batch in segment_frames(
            frames, engine=protocol.engine, segmenter=segmenter, batch_size=protocol.batch_size
        ):
            for window in batch.windows:
                store.append(evidence_of(window.slots, measured_at=published.masks_measured_at))
                slot_ids = window.slots.track_ids.tolist()
                for result in window.frames:
                    _add_masks(masks, result, num_frames=num_frames)
        if not slot_ids:
            return ()
        pairs = published.scoring.score(store.windows, protocol.query, num_pairs=protocol.max_entries)
    return _labelled_slots(
        pairs,
        slot_ids=slot_ids,
        masks=masks,
        category_ids=protocol.query.vocabulary.category_ids,
    )


def _labelled_slots(
    pairs: ScoredPairs, *, slot_ids: Sequence[int], masks: TrackMasks, category_ids: Sequence[int]
) -> tuple[LabelledTrack, ...]:
    """Return one entry per slot and set of absent frames, so that pairs with equal masks share an entry."""
    labels: dict[tuple[int, tuple[bool, ...]], list[tuple[int, float]]] = {}
    rows = zip(
        pairs.slot_index.tolist(),
        pairs.class_index.tolist(),
        pairs.scores.tolist(),
        pairs.absent.tolist(),
        strict=True,
    )
    for slot, class_index, score, absent in rows:
        labels.setdefault((slot_ids[slot], tuple(absent)), []).append((category_ids[class_index], score))
    return tuple(
        LabelledTrack(
            track_id=track_id,
            labels=tuple(own),
            masks=tuple(
                None if is_absent else rle
                for rle, is_absent in zip(masks.get(track_id, [None] * len(absent)), absent, strict=True)
            ),
        )
        for (track_id, absent), own in labels.items()
    )


def _add_masks(masks: TrackMasks, result: FrameResult, *, num_frames: int) -> None:
    for track_id, rle in zip(result.track_ids.tolist(), encode_masks(result.masks), strict=True):
        masks.setdefault(track_id, [None] * num_frames)[result.frame_index] = rle
