"""Conversion of record values to JSON and back. All rounding is here, so that equal runs give equal bytes."""

import json
from typing import cast, get_args

from ovvis_cli.errors import RecordError
from ovvis_cli.record.fields import Fields, parse_json
from ovvis_cli.record.schema import (
    FORMAT_VERSION,
    AnalysedRange,
    FrameLine,
    ImageEntry,
    InstanceLine,
    LabelScore,
    ModelInfo,
    RecordHeader,
    SourceInfo,
    SourceKind,
    TrackEntry,
    VocabularyInfo,
)
from ovvis_cli.rle import Rle

_TIME_DECIMALS = 6
_SCORE_DECIMALS = 4

Json = dict[str, object]


def header_to_text(header: RecordHeader) -> str:
    """Format record.json: indented, keys in a fixed order, with a final newline."""
    source, model, vocabulary = header.source, header.model, header.vocabulary
    content: Json = {
        "format_version": FORMAT_VERSION,
        "fingerprint": header.fingerprint,
        "source": {name: _number(getattr(source, name)) for name in SourceInfo.__slots__},
        "model": {"name": model.name, "weights_sha256": model.weights_sha256},
        "vocabulary": {
            "names": list(vocabulary.names),
            "category_ids": list(vocabulary.category_ids),
            "distractors": vocabulary.distractors,
            "score_threshold": vocabulary.score_threshold,
            "max_tracks": vocabulary.max_tracks,
            **_given_embeddings(vocabulary),
        },
        "settings": {name: header.settings[name] for name in sorted(header.settings)},
        "analysed": {name: _number(getattr(header.analysed, name)) for name in AnalysedRange.__slots__},
        "saved": list(header.saved),
        "tracks": [_track_to_json(track) for track in header.tracks],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def header_from_text(text: str, *, where: str) -> RecordHeader:
    """Parse record.json.

    Raises:
        RecordError: not JSON, another format version, or a field is missing or of the wrong type.
    """
    root = Fields(parse_json(text, where=where), where=where)
    version = root.integer("format_version")
    if version != FORMAT_VERSION:
        raise RecordError(
            f"{where} has format version {version}, this ovvis reads {FORMAT_VERSION}",
            hint="install the ovvis that wrote it, or run ovvis segment again with --overwrite",
        )
    model = root.child("model")
    return RecordHeader(
        fingerprint=root.string("fingerprint"),
        source=_source_from_json(root.child("source")),
        model=ModelInfo(name=model.string("name"), weights_sha256=model.string("weights_sha256")),
        vocabulary=_vocabulary_from_json(root.child("vocabulary")),
        settings=root.scalars("settings"),
        analysed=_range_from_json(root.child("analysed")),
        saved=root.strings("saved"),
        tracks=tuple(_track_from_json(track) for track in root.children("tracks")),
    )


def frame_to_text(frame: FrameLine) -> str:
    """Format one line of masks.jsonl, with its newline."""
    content = frame_to_json(frame) | {
        "instances": [instance_to_json(instance) for instance in frame.instances]
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"


def frame_to_json(frame: FrameLine) -> Json:
    """Return the fields of the frame itself: index, time, and the image it comes from."""
    content: Json = {"frame": int(frame.frame_index), "time": _rounded(frame.time_s, _TIME_DECIMALS)}
    if frame.image is not None:
        content["image"] = {"name": frame.image.name, "size": list(frame.image.size_hw)}
    return content


def instance_to_json(instance: InstanceLine) -> Json:
    """Format one entry of `instances`."""
    return {
        "track": int(instance.track_id),
        "score": _rounded(instance.score, _SCORE_DECIMALS),
        "box": [int(value) for value in instance.box_xywh],
        "rle": instance.rle.to_dict(),
    }


def frame_from_text(line: str, *, where: str) -> FrameLine:
    """Parse one line of masks.jsonl.

    Raises:
        RecordError: not JSON, or a field is missing or of the wrong type.
    """
    root = Fields(parse_json(line, where=where), where=where)
    return FrameLine(
        frame_index=root.integer("frame"),
        time_s=root.real("time"),
        instances=tuple(_instance_from_json(entry) for entry in root.children("instances")),
        image=_image_from_json(root.child("image")) if "image" in root else None,
    )


def _rounded(value: float, decimals: int) -> float:
    return round(float(value), decimals) + 0.0  # + 0.0 turns -0.0 into 0.0


def _number(value: object) -> object:
    return _rounded(value, _TIME_DECIMALS) if isinstance(value, float) else value


def _track_to_json(track: TrackEntry) -> Json:
    return {
        "track": int(track.track_id),
        "label": track.label,
        "score": None if track.score is None else _rounded(track.score, _SCORE_DECIMALS),
        "object_score": _rounded(track.object_score, _SCORE_DECIMALS),
        "runner_up": [
            {"label": entry.label, "score": _rounded(entry.score, _SCORE_DECIMALS)}
            for entry in track.runner_up
        ],
        "first_frame": int(track.first_frame),
        "last_frame": int(track.last_frame),
        "first_time": _rounded(track.first_time_s, _TIME_DECIMALS),
        "last_time": _rounded(track.last_time_s, _TIME_DECIMALS),
        "num_frames": int(track.num_frames),
    }


def _track_from_json(fields: Fields) -> TrackEntry:
    return TrackEntry(
        track_id=fields.integer("track"),
        label=fields.optional("label", fields.string),
        score=fields.optional("score", fields.real),
        object_score=fields.real("object_score"),
        runner_up=tuple(
            LabelScore(label=entry.string("label"), score=entry.real("score"))
            for entry in fields.children("runner_up")
        ),
        first_frame=fields.integer("first_frame"),
        last_frame=fields.integer("last_frame"),
        first_time_s=fields.real("first_time"),
        last_time_s=fields.real("last_time"),
        num_frames=fields.integer("num_frames"),
    )


def _source_from_json(fields: Fields) -> SourceInfo:
    return SourceInfo(
        path=fields.string("path"),
        kind=cast(SourceKind, fields.choice("kind", get_args(SourceKind))),
        width=fields.integer("width"),
        height=fields.integer("height"),
        size_bytes=fields.optional("size_bytes", fields.integer),
        modified_ns=fields.optional("modified_ns", fields.integer),
        num_frames=fields.optional("num_frames", fields.integer),
        duration_s=fields.optional("duration_s", fields.real),
        average_rate=fields.optional("average_rate", fields.string),
        rotation_deg=fields.integer("rotation_deg"),
        has_audio=fields.boolean("has_audio"),
        damage=fields.optional("damage", fields.string),
        # records of version 0.1 have neither of these
        damaged_images=fields.strings("damaged_images") if "damaged_images" in fields else (),
        image_names=fields.optional("image_names", fields.string) if "image_names" in fields else None,
    )


def _range_from_json(fields: Fields) -> AnalysedRange:
    return AnalysedRange(
        start_s=fields.real("start_s"),
        end_s=fields.optional("end_s", fields.real),
        stride=fields.integer("stride"),
        num_frames=fields.integer("num_frames"),
    )


def _given_embeddings(vocabulary: VocabularyInfo) -> Json:
    sha256 = vocabulary.text_embeddings_sha256
    return {} if sha256 is None else {"text_embeddings_sha256": sha256}


def _vocabulary_from_json(fields: Fields) -> VocabularyInfo:
    names = fields.strings("names")
    return VocabularyInfo(
        names=names,
        category_ids=fields.integers("category_ids", length=len(names)),
        distractors=fields.boolean("distractors"),
        score_threshold=fields.real("score_threshold"),
        max_tracks=fields.optional("max_tracks", fields.integer),
        text_embeddings_sha256=(
            fields.string("text_embeddings_sha256") if "text_embeddings_sha256" in fields else None
        ),
    )


def _image_from_json(fields: Fields) -> ImageEntry:
    height, width = fields.integers("size", length=2)
    return ImageEntry(name=fields.string("name"), size_hw=(height, width))


def _instance_from_json(fields: Fields) -> InstanceLine:
    rle = fields.child("rle")
    height, width = rle.integers("size", length=2)
    x, y, box_width, box_height = fields.integers("box", length=4)
    return InstanceLine(
        track_id=fields.integer("track"),
        score=fields.real("score"),
        box_xywh=(x, y, box_width, box_height),
        rle=Rle(size_hw=(height, width), counts=rle.string("counts")),
    )
