"""The published files of a model: their addresses, what is known of them, and how they get here."""

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

HUB_VARIABLE: Final = "HF_ENDPOINT"  # as the hub's own client reads it; for mirrors
_HUB: Final = "https://huggingface.co"
_NEWEST: Final = "main"  # the branch of which a hub gives the newest revision
_SLACK_BYTES: Final = 64_000_000  # what a file may hold beside the parameters that are counted

ShowBytes = Callable[[WeightsSource], AbstractContextManager[OnBytes]]
"""Opens a display for one download."""


def address(source: WeightsSource) -> str:
    """The address of a published file.

    Raises:
        UsageError: HF_ENDPOINT is no address.
    """
    location = source.location
    if isinstance(location, WebFile):
        return location.url
    hub = (os.environ.get(HUB_VARIABLE) or _HUB).rstrip("/")
    parts = urlsplit(hub)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{HUB_VARIABLE}={hub} is no address", hint="such as https://mirror.example")
    return f"{hub}/{location.repository}/resolve/{location.revision or _NEWEST}/{location.path}"


def expected(source: WeightsSource) -> Expected:
    """What the catalogue knows of a published file."""
    return Expected(
        sha256=source.sha256,
        md5_start=source.md5_start,
        size_bytes=source.size_bytes,
        most_bytes=source.size_bytes or 2 * source.approximate_bytes + _SLACK_BYTES,
    )


def fetch(spec: ModelSpec, *, show: ShowBytes, retry_policy: RetryPolicy | None = None) -> list[Path]:
    """Downloads what is missing of the published files of a model; the files, checked.

    Raises:
        DownloadError: a server cannot be reached, or refuses; the hint says how to do without.
        WeightsError: what came is not the expected file.
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
    """How to install a model on a machine without a network."""
    addresses = " and ".join(address(source) for source in spec.sources)
    return (
        f"without a network: fetch {addresses} elsewhere, copy to this machine, and say `ovvis models import"
        f" {spec.name} FILE FILE`, or put a file into {downloads_folder()} under the name that"
        f" `ovvis models info {spec.name}` shows and pull again"
    )


def source_of(path: Path, spec: ModelSpec) -> WeightsSource | None:
    """The published file that this is a copy of, None where it is none of the known ones."""
    for source in spec.sources:
        if fault_of(path, expected(source)) is None:
            return source
    return None


def forget(spec: ModelSpec) -> None:
    """Removes the downloaded files of a model, whole or not."""
    for source in spec.sources:
        path = downloads_folder() / source.file_name
        for file in (path, path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.tag")):
            file.unlink(missing_ok=True)
