"""Published files of a model: their URLs, expected sizes and checksums, and their download."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ovvis_cli.errors import UsageError
from ovvis_cli.model_store.download import OnBytes, RetryPolicy, download
from ovvis_cli.model_store.file_check import Expected, fault_of
from ovvis_cli.model_store.installed import downloads_folder
from ovvis_models.sources import WebFile, WeightsSource
from ovvis_models.systems.spec import ModelSpec

HUB_VARIABLE: Final = "HF_ENDPOINT"  # the variable of the hub's own client; for mirrors
_HUB: Final = "https://huggingface.co"
_NEWEST: Final = "main"  # the branch of a hub that has the newest revision
_SLACK_BYTES: Final = 64_000_000  # size allowed beyond the counted parameters

ShowBytes = Callable[[WeightsSource], AbstractContextManager[OnBytes]]
"""Opens a progress display for one download."""


def address(source: WeightsSource) -> str:
    """Return the URL of a published file.

    Raises:
        UsageError: HF_ENDPOINT is not a URL.
    """
    location = source.location
    if isinstance(location, WebFile):
        return location.url
    hub = (os.environ.get(HUB_VARIABLE) or _HUB).rstrip("/")
    parts = urlsplit(hub)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{HUB_VARIABLE}={hub} is not a URL", hint="for example https://mirror.example")
    return f"{hub}/{location.repository}/resolve/{location.revision or _NEWEST}/{location.path}"


def expected(source: WeightsSource) -> Expected:
    """Return what the catalog knows of a published file."""
    return Expected(
        sha256=source.sha256,
        md5_start=source.md5_start,
        size_bytes=source.size_bytes,
        most_bytes=source.size_bytes or 2 * source.approximate_bytes + _SLACK_BYTES,
    )


def fetch(spec: ModelSpec, *, show: ShowBytes, retry_policy: RetryPolicy | None = None) -> list[Path]:
    """Download the missing published files of a model; return all files, checked.

    Raises:
        DownloadError: a server cannot be reached, or refuses; the hint explains the manual way.
        WeightsError: a file is not the expected one.
        ResourceError: the disk is full or not writable.
    """
    files = []
    for source in spec.sources:
        path = downloads_folder() / source.file_name
        with show(source) as on_bytes:
            download(
                address(source),
                path,
                expected=expected(source),
                on_bytes=on_bytes,
                by_hand=by_hand(spec),
                retry_policy=retry_policy or RetryPolicy(),
            )
        files.append(path)
    return files


def by_hand(spec: ModelSpec) -> str:
    """Explain how to install a model on a machine without a network."""
    addresses = " and ".join(address(source) for source in spec.sources)
    return (
        f"without a network: fetch {addresses} elsewhere, copy to this machine, and run `ovvis models import"
        f" {spec.name} FILE FILE`, or put a file into {downloads_folder()} under the name that"
        f" `ovvis models info {spec.name}` shows and pull again"
    )


def source_of(path: Path, spec: ModelSpec) -> WeightsSource | None:
    """Return the published file that this is a copy of, or None."""
    for source in spec.sources:
        if fault_of(path, expected(source)) is None:
            return source
    return None


def forget(spec: ModelSpec) -> None:
    """Remove the downloaded files of a model, complete or not."""
    for source in spec.sources:
        path = downloads_folder() / source.file_name
        for file in (path, path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.tag")):
            file.unlink(missing_ok=True)
