"""Record values to JSON and back; numbers are rounded in one place, so that equal runs give equal bytes."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, cast, get_args

from ovvis_cli.errors import RecordError
from ovvis_cli.record.schema import (
    FORMAT_VERSION,
    FrameLine,
    InstanceLine,
    LabelScore,
    ModelInfo,
    RecordHeader,
    SettingValue,
    SourceInfo,
    SourceKind,
    TrackEntry,
    VocabularyInfo,
)
from ovvis_cli.rle import Rle

_TIME_DECIMALS = 6
_SCORE_DECIMALS = 4

Json = dict[str, object]
_T = TypeVar("_T")


def header_to_text(header: RecordHeader) -> str:
    """record.json: indented, in a fixed order, ending in a newline."""
    source, model, vocabulary = header.source, header.model, header.vocabulary
    content: Json = {
        "format_version": FORMAT_VERSION,
        "fingerprint": header.fingerprint,
        "source": {name: _number(getattr(source, name)) for name in SourceInfo.__slots__},
        "model": {"name": model.name, "weights_sha256": model.weights_sha256},
        "vocabulary": {"names": list(vocabulary.names), "distractors": vocabulary.distractors},
        "settings": {name: header.settings[name] for name in sorted(header.settings)},
        "num_analysed_frames": header.num_analysed_frames,
        "saved": list(header.saved),
        "tracks": [_track_to_json(track) for track in header.tracks],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def header_from_text(text: str, *, where: str) -> RecordHeader:
    """The inverse of `header_to_text`.

    Raises:
        RecordError: not JSON, another format version, or a field is missing or of the wrong type.
    """
    root = _Fields(_parse(text, where=where), where=where)
    version = root.integer("format_version")
    if version != FORMAT_VERSION:
        raise RecordError(
            f"{where} has format version {version}, this ovvis reads {FORMAT_VERSION}",
            hint="install the ovvis that wrote it, or run ovvis segment again with --overwrite",
        )
    model, vocabulary = root.child("model"), root.child("vocabulary")
    return RecordHeader(
        fingerprint=root.string("fingerprint"),
        source=_source_from_json(root.child("source")),
        model=ModelInfo(name=model.string("name"), weights_sha256=model.string("weights_sha256")),
        vocabulary=VocabularyInfo(
            names=vocabulary.strings("names"), distractors=vocabulary.boolean("distractors")
        ),
        settings=root.scalars("settings"),
        num_analysed_frames=root.integer("num_analysed_frames"),
        saved=root.strings("saved"),
        tracks=tuple(_track_from_json(track) for track in root.children("tracks")),
    )


def frame_to_text(frame: FrameLine) -> str:
    """One line of masks.jsonl with its newline."""
    content: Json = {
        "frame": int(frame.frame_index),
        "time": _rounded(frame.time_s, _TIME_DECIMALS),
        "instances": [instance_to_json(instance) for instance in frame.instances],
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"


def instance_to_json(instance: InstanceLine) -> Json:
    """One entry of `instances`."""
    return {
        "track": int(instance.track_id),
        "score": _rounded(instance.score, _SCORE_DECIMALS),
        "box": [int(value) for value in instance.box_xywh],
        "rle": instance.rle.to_dict(),
    }


def frame_from_text(line: str, *, where: str) -> FrameLine:
    """The inverse of `frame_to_text`.

    Raises:
        RecordError: not JSON, or a field is missing or of the wrong type.
    """
    root = _Fields(_parse(line, where=where), where=where)
    return FrameLine(
        frame_index=root.integer("frame"),
        time_s=root.real("time"),
        instances=tuple(_instance_from_json(entry) for entry in root.children("instances")),
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


def _track_from_json(fields: "_Fields") -> TrackEntry:
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


def _source_from_json(fields: "_Fields") -> SourceInfo:
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
    )


def _instance_from_json(fields: "_Fields") -> InstanceLine:
    rle = fields.child("rle")
    height, width = rle.integers("size", length=2)
    x, y, box_width, box_height = fields.integers("box", length=4)
    return InstanceLine(
        track_id=fields.integer("track"),
        score=fields.real("score"),
        box_xywh=(x, y, box_width, box_height),
        rle=Rle(size_hw=(height, width), counts=rle.string("counts")),
    )


def _parse(text: str, *, where: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RecordError(
            f"{where} is not valid JSON: {error}",
            hint="the record is damaged; run ovvis segment again with --overwrite",
        ) from error


class _Fields:
    """A JSON object whose fields are taken by type; a wrong one is a RecordError that names its path."""

    def __init__(self, value: object, *, where: str) -> None:
        if not isinstance(value, dict):
            raise RecordError(f"{where} should be a JSON object, found {type(value).__name__}")
        self._values: Json = value
        self._where = where

    def integer(self, name: str) -> int:
        value = self._get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self._wrong(name, "a whole number", value)

    def real(self, name: str) -> float:
        value = self._get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise self._wrong(name, "a number", value)

    def string(self, name: str) -> str:
        value = self._get(name)
        if isinstance(value, str):
            return value
        raise self._wrong(name, "a text", value)

    def boolean(self, name: str) -> bool:
        value = self._get(name)
        if isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false", value)

    def choice(self, name: str, choices: Iterable[str]) -> str:
        value = self.string(name)
        if value in choices:
            return value
        raise self._wrong(name, f"one of {', '.join(choices)}", value)

    def optional(self, name: str, read: Callable[[str], _T]) -> _T | None:
        return None if self._get(name) is None else read(name)

    def strings(self, name: str) -> tuple[str, ...]:
        values = self._list(name)
        if all(isinstance(value, str) for value in values):
            return tuple(cast(list[str], values))
        raise self._wrong(name, "a list of texts", values)

    def integers(self, name: str, *, length: int) -> tuple[int, ...]:
        values = self._list(name)
        if len(values) == length and all(type(value) is int for value in values):
            return tuple(cast(list[int], values))
        raise self._wrong(name, f"{length} whole numbers", values)

    def scalars(self, name: str) -> Mapping[str, SettingValue]:
        value = self._get(name)
        if isinstance(value, dict) and all(isinstance(v, SettingValue) for v in value.values()):
            return cast(dict[str, SettingValue], value)
        raise self._wrong(name, "an object of plain values", value)

    def child(self, name: str) -> "_Fields":
        return _Fields(self._get(name), where=f"{self._where}: {name}")

    def children(self, name: str) -> list["_Fields"]:
        entries = self._list(name)
        return [_Fields(entry, where=f"{self._where}: {name}[{i}]") for i, entry in enumerate(entries)]

    def _list(self, name: str) -> list[object]:
        value = self._get(name)
        if isinstance(value, list):
            return value
        raise self._wrong(name, "a list", value)

    def _get(self, name: str) -> object:
        if name not in self._values:
            raise RecordError(
                f"{self._where}: {name} is missing", hint="the file is damaged or no ovvis record"
            )
        return self._values[name]

    def _wrong(self, name: str, wanted: str, found: object) -> RecordError:
        return RecordError(f"{self._where}: {name} should be {wanted}, found {found!r:.60}")
