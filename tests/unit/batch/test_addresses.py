"""What is an address of storage, and what stays a path or a URL that FFmpeg opens."""

import pytest

from ovvis_cli.batch.addresses import is_storage


@pytest.mark.parametrize("text", ["s3://bucket/clips/*.mp4", "gs://bucket", "S3://bucket/x", "memory://x"])
def test_storage(text: str) -> None:
    assert is_storage(text)


@pytest.mark.parametrize(
    "text", ["clip.mp4", "https://host/a.mp4", "rtsp://camera", "file:///a.mp4", "0", "-", "s3:/x", "s3"]
)
def test_everything_else(text: str) -> None:
    assert not is_storage(text)
