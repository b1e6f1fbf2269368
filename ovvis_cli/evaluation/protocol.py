"""A model's results on the videos of a data set, as the papers produce them.

    frames --networks, tracker--> tracks with masks --names of the data set--> the best (track, class) pairs

A pair's score is the probability of the class, among all classes of the data set and without distractors,
times the mean object score of the track. Of each video the best pairs are submitted, however many a track has
of them: 10 on YouTube-VIS, 20 on OVIS, 50 on LV-VIS, BURST and the diorama (`max_entries`).
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float

from ovvis_cli.data.frames import read_frames
from ovvis_cli.data.tracks import AnnotatedVideo
from ovvis_cli.evaluation.predictions import LabelledTrack, VideoPredictions
from ovvis_cli.inference.engine import Engine
from ovvis_cli.labelling.class_query import ClassEmbeds
from ovvis_cli.rle import Rle, encode_masks
from ovvis_models.heads.vocabulary_scores import class_probabilities
from ovvis_models.structures import TrackSummary

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a data set's videos are run through a model."""

    engine: Engine
    embeds: ClassEmbeds | None  # None: only one class, every object is of it (UVO)
    category_ids: tuple[int, ...]  # of the asked classes, in their order
    max_entries: int  # results of one video
    batch_size: int
    num_workers: int  # threads that decode frames


def predict_video(protocol: Protocol, video: AnnotatedVideo, *, paths: Sequence[Path]) -> VideoPredictions:
    """The results of one video, best first.

    Args:
        protocol: model and rules.
        video: as the data set describes it.
        paths: of its frames.

    Raises:
        VideoError: a frame is missing or unreadable.
    """
    start_s = time.perf_counter()
    segmenter = protocol.engine.new_segmenter()
    masks: dict[int, list[Rle | None]] = {}
    frames = read_frames(paths, frame_hw=video.frame_hw, num_workers=protocol.num_workers)
    with closing(frames):
        for first, images in _batches(frames, size=protocol.batch_size):
            prediction = protocol.engine.predict(segmenter, images)
            for result in segmenter.step(prediction, range(first, first + len(images))):
                for track_id, rle in zip(result.track_ids.tolist(), encode_masks(result.masks), strict=True):
                    track_masks = masks.setdefault(track_id, [None] * len(paths))
                    track_masks[result.frame_index] = rle
    tracks = segmenter.finish().tracks
    return VideoPredictions(
        video_id=video.video_id,
        num_frames=len(paths),
        tracks=_labelled(tracks, masks=masks, num_frames=len(paths), protocol=protocol),
        seconds=time.perf_counter() - start_s,
    )


def _labelled(
    tracks: Sequence[TrackSummary],
    *,
    masks: dict[int, list[Rle | None]],
    num_frames: int,
    protocol: Protocol,
) -> tuple[LabelledTrack, ...]:
    scores = _pair_scores(tracks, num_frames=num_frames, protocol=protocol)
    best = np.argsort(-scores, axis=None, kind="stable")[: protocol.max_entries]
    labels: dict[int, list[tuple[int, float]]] = {}
    for row, class_index in zip(*np.unravel_index(best, scores.shape), strict=True):
        category_id = protocol.category_ids[class_index]
        labels.setdefault(int(row), []).append((category_id, float(scores[row, class_index])))
    return tuple(
        LabelledTrack(
            track_id=tracks[row].track_id,
            object_score=float(tracks[row].object_score),
            labels=tuple(own),
            masks=tuple(masks[tracks[row].track_id]),
        )
        for row, own in labels.items()
    )


def _pair_scores(
    tracks: Sequence[TrackSummary], *, num_frames: int, protocol: Protocol
) -> Float[np.ndarray, "N K"]:
    """Class probability times object score; float64, so that what is written is what was ranked.

    The object score is the mean over all frames of the video, 0 where a track is not seen, as in the papers'
    protocols, whose slots have a score in every frame: overlap is measured over the whole video too.
    """
    sums = [track.object_score * track.num_frames for track in tracks]
    object_scores = np.asarray(sums, dtype=np.float64).reshape(-1, 1) / num_frames
    embeds = protocol.embeds
    if embeds is None or not tracks:
        return object_scores.repeat(len(protocol.category_ids), axis=1)
    tokens = torch.from_numpy(np.stack([track.instance_token for track in tracks])).float()
    probabilities = class_probabilities(
        tokens, embeds.class_embeds.float(), logit_scale=embeds.logit_scale, num_asked=embeds.num_asked
    )
    return np.asarray(probabilities.double().numpy() ** embeds.class_exponent * object_scores)


def _batches(items: Iterable[_Item], *, size: int) -> Iterator[tuple[int, list[_Item]]]:
    """The position of the first item, and `size` items or what is left."""
    source = iter(items)
    first = 0
    while batch := list(islice(source, size)):
        yield first, batch
        first += len(batch)
