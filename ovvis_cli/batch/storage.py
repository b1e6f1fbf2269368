"""Files at addresses such as `s3://bucket/clips`: the only module that imports fsspec.

Every file is read or written whole. An object store shows an object only when all of it has arrived; a file
system that does not (`sftp`) gets the file under another name first.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ovvis_cli.batch.addresses import is_storage
from ovvis_cli.errors import OvvisError, ResourceError, UsageError, VideoError
from ovvis_cli.record.schema import HEADER_NAME
from ovvis_cli.video.inputs import VIDEO_SUFFIXES
from ovvis_cli.video.natural_order import in_natural_order

logger = logging.getLogger(__name__)

_MAGIC: Final = frozenset("*?[")
_TIME_KEYS: Final = ("LastModified", "last_modified", "mtime", "updated", "created")
_RENAMED: Final = frozenset({"sftp"})  # schemes where a half-written file would be visible


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of a storage."""

    address: str
    size_bytes: int
    modified_ns: int  # since 1970; 0 if the storage does not tell


class Storage:
    """The storage of an address."""

    def __init__(self, address: str) -> None:
        """Connect.

        Raises:
            UsageError: the package for this kind of storage is not installed.
        """
        self.address = address.rstrip("/")
        self._scheme = address.partition("://")[0]
        self._files = _file_system(address)

    def find(self, suffixes: frozenset[str] = VIDEO_SUFFIXES) -> list[StoredFile]:
        """Return the files of the address: one file, those of a pattern, or the videos in a folder.

        Raises:
            VideoError: nothing is there, or the storage cannot be reached.
        """
        with _read_errors(self.address):
            self._files.invalidate_cache()
            if _MAGIC & set(self.address):
                found = self._files.glob(self.address, detail=True).values()
            elif self._files.isdir(self.address):
                inside = self._files.ls(self.address, detail=True)
                found = [entry for entry in inside if PurePosixPath(entry["name"]).suffix.lower() in suffixes]
            else:
                found = [self._files.info(self.address)]
        files = [self._stored_file(entry) for entry in found if entry["type"] == "file"]
        if not files:
            raise VideoError(f"{self.address}: no video there", hint="check the address")
        return in_natural_order(files, key=lambda file: file.address)

    def info(self) -> StoredFile:
        """Return the one file at the address.

        Raises:
            VideoError: there is no such file, or the storage cannot be reached.
        """
        with _read_errors(self.address):
            self._files.invalidate_cache()
            return self._stored_file(self._files.info(self.address))

    def fetch(self, file: StoredFile, path: Path) -> None:
        """Copy a file to this machine, with its time stamp; `path` is whole or absent.

        Raises:
            VideoError: the storage cannot be reached, or the connection broke.
            ResourceError: the disk is full.
        """
        partial = path.with_name(f".{path.name}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _read_errors(file.address):
                self._files.get_file(file.address, str(partial))
            if partial.stat().st_size != file.size_bytes:
                raise VideoError(f"{file.address}: the connection broke", hint="run the same command again")
            os.utime(partial, ns=(file.modified_ns, file.modified_ns))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def fetch_folder(self, name: str, folder: Path) -> None:
        """Copy the files of a result folder, without those in folders below it. Raises as `fetch` does."""
        address = f"{self.address}/{name}"
        with _read_errors(address):
            self._files.invalidate_cache()
            entries = self._files.ls(address, detail=True)
        files = [self._stored_file(entry) for entry in entries if entry["type"] == "file"]
        for file in sorted(files, key=lambda file: file.address.endswith(f"/{HEADER_NAME}")):
            self.fetch(file, folder / PurePosixPath(file.address).name)

    def store_folder(self, folder: Path, name: str) -> None:
        """Copy a result folder to the storage, so that its record is there only when everything else is.

        A result that is there already is given up first. After a failure, what was copied is removed again
        as far as the connection allows; without a record it is no result in any case.

        Raises:
            ResourceError: the storage cannot be reached or written, or the connection broke.
        """
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        files.sort(key=lambda path: path == folder / HEADER_NAME)  # the record last
        target = f"{self.address}/{name}"
        try:
            with _write_errors(target):
                self._remove_folder(target)
                for path in files:
                    self._put(path, f"{target}/{path.relative_to(folder).as_posix()}")
        except ResourceError:
            try:
                self._remove_folder(target)
            except Exception as error:  # noqa: BLE001 - each file system has errors of its own
                logger.debug("%s cannot be removed: %s", target, error)
            raise

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None if there is none. Raises VideoError without a connection."""
        address = f"{self.address}/{path}"
        try:
            with _read_errors(address, missing_is_error=False):
                content: bytes = self._files.cat_file(address)
        except FileNotFoundError:
            return None
        return content.decode("utf-8", errors="replace")

    def write(self, path: str, text: str) -> None:
        """Write a file. Raises ResourceError if that is not possible."""
        with _write_errors(f"{self.address}/{path}"):
            self._files.pipe_file(f"{self.address}/{path}", text.encode("utf-8"))

    def remove(self, path: str) -> None:
        """Remove a file if it exists. Raises ResourceError if that is not possible."""
        with _write_errors(f"{self.address}/{path}"):
            try:
                self._files.rm_file(f"{self.address}/{path}")
            except FileNotFoundError:
                return

    def read_all(self, folder: str) -> dict[str, str]:
        """Return the texts of the JSON files in a folder by path. Raises VideoError without a connection."""
        found = self._glob(f"{folder}/*.json")
        with _read_errors(f"{self.address}/{folder}"):
            contents: dict[str, bytes | Exception] = (
                self._files.cat(found, on_error="return") if found else {}
            )
        return {
            f"{folder}/{PurePosixPath(path).name}": content.decode("utf-8", errors="replace")
            for path, content in sorted(contents.items())
            if isinstance(content, bytes)  # others were removed meanwhile
        }

    def finished_results(self) -> set[str]:
        """Return the names of the folders that hold a record. Raises VideoError without a connection."""
        return {PurePosixPath(path).parent.name for path in self._glob(f"*/{HEADER_NAME}")}

    def _glob(self, pattern: str) -> list[str]:
        with _read_errors(self.address):
            self._files.invalidate_cache()
            found: list[str] = self._files.glob(f"{self.address}/{pattern}")
            return found

    def _put(self, path: Path, address: str) -> None:
        if self._scheme not in _RENAMED:
            self._files.put_file(str(path), address)
            return
        self._files.makedirs(address.rpartition("/")[0], exist_ok=True)
        self._files.put_file(str(path), f"{address}.partial")
        self._files.mv(f"{address}.partial", address)

    def _remove_folder(self, address: str) -> None:
        self._files.invalidate_cache()
        if self._files.exists(f"{address}/{HEADER_NAME}"):
            self._files.rm_file(f"{address}/{HEADER_NAME}")  # first: without it the rest is no result
        if self._files.exists(address):
            self._files.rm(address, recursive=True)

    def _stored_file(self, entry: dict[str, Any]) -> StoredFile:
        path = str(entry["name"]).lstrip("/")
        prefix = f"{self._scheme}://"
        return StoredFile(
            address=path if path.startswith(prefix) else prefix + path,
            size_bytes=int(entry["size"]),
            modified_ns=_time_ns(entry),
        )


def expand_addresses(inputs: Sequence[str]) -> list[str]:
    """Return the inputs with every folder and pattern of a storage replaced by its videos.

    Raises:
        VideoError: nothing is there, or the storage cannot be reached.
        UsageError: the package for this kind of storage is not installed.
    """
    expanded: list[str] = []
    for given in inputs:
        expanded += [file.address for file in Storage(given).find()] if is_storage(given) else [given]
    return expanded


def _file_system(address: str) -> Any:  # noqa: ANN401
    try:
        import fsspec

        return fsspec.url_to_fs(address, use_listings_cache=False)[0]
    except ImportError as error:
        raise UsageError(
            f"{address}: a package is missing ({error})",
            hint='pip install "ovvis[remote]" for s3://; for other storage the package that fsspec names',
        ) from error
    except ValueError as error:
        raise UsageError(f"{address}: {error}", hint="check the address") from error


def _time_ns(entry: dict[str, Any]) -> int:
    value = next((entry[key] for key in _TIME_KEYS if entry.get(key) is not None), 0)
    if isinstance(value, datetime):
        return int(value.timestamp()) * 1_000_000_000
    return int(value) * 1_000_000_000 if isinstance(value, int | float) else 0


@contextmanager
def _read_errors(address: str, *, missing_is_error: bool = True) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if not missing_is_error:
            raise
        raise VideoError(f"{address}: nothing there", hint="check the address") from error
    except OvvisError:
        raise
    except Exception as error:
        raise VideoError(f"{address} cannot be read: {_cause(error)}", hint="run it again") from error


@contextmanager
def _write_errors(address: str) -> Iterator[None]:
    try:
        yield
    except OvvisError:
        raise
    except Exception as error:
        raise ResourceError(
            f"{address} cannot be written: {_cause(error)}", hint="run the same command again"
        ) from error


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
