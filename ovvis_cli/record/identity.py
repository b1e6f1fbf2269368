"""Fingerprint of source, weights and analysis settings: equal fingerprints mean equal masks."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ovvis_cli.record.schema import FORMAT_VERSION, ModelInfo, SettingValue, SourceInfo


def source_stamp(path: Path) -> tuple[int | None, int | None]:
    """Return (size_bytes, modified_ns) of a file or of all files of an image folder; else (None, None)."""
    if path.is_file():
        stat = path.stat()
        return stat.st_size, stat.st_mtime_ns
    if path.is_dir():
        stats = [entry.stat() for entry in path.iterdir() if entry.is_file()]
        return sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
    return None, None


def names_digest(names: Iterable[str]) -> str:
    """Return a digest of file names in order."""
    return hashlib.sha256(json.dumps(list(names)).encode("ascii")).hexdigest()


def fingerprint(*, source: SourceInfo, model: ModelInfo, settings: Mapping[str, SettingValue]) -> str:
    """Return a hex digest that is equal if and only if masks and tokens will be.

    The vocabulary and settings that only select or label tracks afterwards (score threshold, export formats)
    must not be in `settings`: changing them is a relabel, not another analysis. The folder of the source does
    not count, so that a moved video keeps its record.
    """
    identity = {
        "format_version": FORMAT_VERSION,
        "name": source.path if source.kind == "stream" else Path(source.path).name,
        "kind": source.kind,
        "size_bytes": source.size_bytes,
        "modified_ns": source.modified_ns,
        "frame_wh": [source.width, source.height],
        "model": [model.name, model.weights_sha256],
        "settings": dict(settings),
    }
    if source.image_names is not None:
        identity["image_names"] = source.image_names
    canonical = json.dumps(identity, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
