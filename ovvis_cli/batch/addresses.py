"""Addresses of storage such as `s3://bucket/clips`, told apart from paths and from URLs that FFmpeg opens."""

from typing import Final

STORAGE_SCHEMES: Final = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "hdfs", "webhdfs", "sftp", "memory"}
)


def is_storage(text: str) -> bool:
    """Return whether a text is an address of storage that fsspec reads, not a path or a URL of a stream."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.lower() in STORAGE_SCHEMES
