"""Small records made by hand, for tests of everything that reads one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from ovvis_cli.record.encoding import encode_frame, track_entries
from ovvis_cli.record.identity import fingerprint, source_stamp
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import (
    AnalysedRange,
    FrameLine,
    LabelScore,
    ModelInfo,
    RecordHeader,
    SourceInfo,
    TrackLabel,
    VocabularyInfo,
)
from ovvis_cli.record.writer import RecordWriter
from ovvis_models.structures import FrameResult, TrackSummary

FRAME_HW = (32, 48)
NUM_FRAMES = 8
DOG, BOARD, UNKNOWN = 1, 2, 5  # track ids
VOCABULARY = VocabularyInfo(
    names=("cat", "dog", "skateboard"),
    category_ids=(1, 2, 3),
    distractors=True,
    score_threshold=0.0,
    max_tracks=None,
)
MODEL = ModelInfo(name="instformer-tiny", weights_sha256="ab" * 32)
SETTINGS = {"precision": "fp32", "stride": 1}


def source_info(path: Path, *, num_frames: int = NUM_FRAMES) -> SourceInfo:
    """The description of a video of these records."""
    size_bytes, modified_ns = source_stamp(path)
    return SourceInfo(
        path=str(path),
        kind="video",
        width=FRAME_HW[1],
        height=FRAME_HW[0],
        size_bytes=size_bytes,
        modified_ns=modified_ns,
        num_frames=num_frames,
        duration_s=num_frames / 30,
        average_rate="30/1",
        rotation_deg=0,
        has_audio=False,
        damage=None,
    )


def masks_of(frame_index: int) -> dict[int, np.ndarray]:
    """Track id to mask: the dog walks right, the skateboard shows on odd frames, the rest stays."""
    masks = {track_id: np.zeros(FRAME_HW, dtype=bool) for track_id in (DOG, BOARD, UNKNOWN)}
    masks[DOG][4:20, 2 + frame_index : 18 + frame_index] = True
    masks[DOG][8:10, 6 + frame_index : 8 + frame_index] = False  # a hole
    masks[UNKNOWN][28:31, 40:47] = True
    if frame_index % 2:
        masks[BOARD][18:26, 10:40] = True
    else:
        del masks[BOARD]
    return masks


def frame_line(frame_index: int) -> FrameLine:
    """The line of one frame, tracks in no particular order."""
    masks = masks_of(frame_index)
    track_ids = sorted(masks, reverse=True)
    result = FrameResult(
        frame_index=frame_index,
        track_ids=np.array(track_ids),
        scores=np.array([0.9 - 0.1 * (track_id % 3) for track_id in track_ids], dtype=np.float32),
        masks=np.stack([masks[track_id] for track_id in track_ids]),
    )
    return encode_frame(result, time_s=frame_index / 30)


def tokens() -> np.ndarray:
    """(3, 4) unit tokens of dog, skateboard and the unknown thing: the axes of the space."""
    return np.eye(4, dtype=np.float32)[:3]


def summaries() -> tuple[TrackSummary, ...]:
    """What the core would say about the three tracks."""
    spans = {DOG: (0, NUM_FRAMES - 1), BOARD: (1, NUM_FRAMES - 1), UNKNOWN: (0, NUM_FRAMES - 1)}
    return tuple(
        TrackSummary(
            track_id=track_id,
            object_score=0.8,
            first_frame=spans[track_id][0],
            last_frame=spans[track_id][1],
            num_frames=NUM_FRAMES // 2 if track_id == BOARD else NUM_FRAMES,
            instance_token=token,
        )
        for track_id, token in zip(spans, tokens(), strict=True)
    )


def labels() -> tuple[TrackLabel, ...]:
    """The answers for the three tracks: the third is none of the asked names."""
    cat = (LabelScore(label="cat", score=0.123456),)
    return (
        TrackLabel(label="dog", score=0.765432, runner_up=cat),
        TrackLabel(label="skateboard", score=0.5, runner_up=()),
        TrackLabel(label=None, score=None, runner_up=cat),
    )


def write_record(
    folder: Path, *, source: Path, frames: Sequence[int] = range(NUM_FRAMES), stride: int = 1
) -> Record:
    """A finished record of the frames."""
    info = source_info(source)
    with RecordWriter(folder, fingerprint=fingerprint(source=info, model=MODEL, settings=SETTINGS)) as writer:
        writer.resume()
        for frame_index in frames:
            writer.append(frame_line(frame_index))
        return finalise(writer, info=info, num_frames=len(frames), stride=stride)


def finalise(
    writer: RecordWriter, *, info: SourceInfo, num_frames: int = NUM_FRAMES, stride: int = 1
) -> Record:
    """Ends a record of `writer`."""
    entries = track_entries(summaries(), labels=labels(), times_s=writer.track_times())
    header = RecordHeader(
        fingerprint=fingerprint(source=info, model=MODEL, settings=SETTINGS),
        source=replace(info, damage=None),
        model=MODEL,
        vocabulary=VOCABULARY,
        settings=SETTINGS,
        analysed=AnalysedRange(start_s=0.0, end_s=None, stride=stride, num_frames=num_frames),
        saved=(),
        tracks=entries,
    )
    return writer.finalise(
        header, track_ids=np.array([DOG, BOARD, UNKNOWN]), tokens=tokens(), object_scores=np.full(3, 0.8)
    )


def record_of_masks(
    folder: Path,
    *,
    source: SourceInfo,
    frames: Mapping[int, Mapping[int, np.ndarray]],
    labels: Mapping[int, str | None],
    stride: int = 1,
) -> Record:
    """A finished record of given masks, by frame index and track id; labels by track id."""
    with RecordWriter(folder, fingerprint="made", source=source) as writer:
        writer.resume()
        for frame_index, masks in frames.items():
            shape = (0, source.height, source.width)
            result = FrameResult(
                frame_index=frame_index,
                track_ids=np.array(list(masks), dtype=np.int64),
                scores=np.array([0.9 - 0.01 * track_id for track_id in masks], dtype=np.float32),
                masks=np.stack(list(masks.values())) if masks else np.zeros(shape, dtype=bool),
            )
            writer.append(encode_frame(result, time_s=frame_index / 30))
        seen = {track_id: [index for index in frames if track_id in frames[index]] for track_id in labels}
        summaries = [
            TrackSummary(
                track_id=track_id,
                object_score=0.8,
                first_frame=indices[0],
                last_frame=indices[-1],
                num_frames=len(indices),
                instance_token=np.ones(1, dtype=np.float32),
            )
            for track_id, indices in seen.items()
        ]
        answers = [
            TrackLabel(label=label, score=None if label is None else 0.5 + 0.01 * track_id, runner_up=())
            for track_id, label in labels.items()
        ]
        names = tuple(dict.fromkeys(["cat", *(label for label in labels.values() if label is not None)]))
        header = RecordHeader(
            fingerprint="made",
            source=source,
            model=MODEL,
            vocabulary=replace(VOCABULARY, names=names, category_ids=tuple(range(1, len(names) + 1))),
            settings=SETTINGS,
            analysed=AnalysedRange(start_s=0.0, end_s=None, stride=stride, num_frames=len(frames)),
            saved=(),
            tracks=track_entries(summaries, labels=answers, times_s=writer.track_times()),
        )
        return writer.finalise(
            header,
            track_ids=np.array(list(labels), dtype=np.int64),
            tokens=np.ones((len(labels), 1), dtype=np.float32),
            object_scores=np.full(len(labels), 0.8, dtype=np.float32),
        )


def park_record(folder: Path, *, num_frames: int) -> Record:
    """A record of the first frames of examples/park.mp4 from its exact masks: six tracks that cross."""
    examples = Path(__file__).parents[1] / "examples"
    truth = json.loads((examples / "park.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in truth["categories"]}
    (video,) = truth["videos"]
    frames: dict[int, dict[int, np.ndarray]] = {index: {} for index in range(num_frames)}
    for track_id, annotation in enumerate(truth["annotations"], start=1):
        for index, rle in enumerate(annotation["segmentations"][:num_frames]):
            if rle is not None:
                frames[index][track_id] = coco_mask.decode(rle).astype(bool)
    seen = {track_id for masks in frames.values() for track_id in masks}
    labels = {
        track_id: names[annotation["category_id"]]
        for track_id, annotation in enumerate(truth["annotations"], start=1)
        if track_id in seen
    }
    source = replace(
        source_info(examples / "park.mp4", num_frames=video["length"]),
        width=video["width"],
        height=video["height"],
    )
    return record_of_masks(folder, source=source, frames=frames, labels=labels)
