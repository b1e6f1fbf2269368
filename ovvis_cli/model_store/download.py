"""Download of one published file: resumable, with size and time limits, checked, moved into place atomically.

    <name>.part        the bytes received so far
    <name>.part.tag    URL and ETag of those bytes: if either differs, the download starts over
    <name>             the complete file, checked

Proxies come from the environment, as in urllib. No other file opens a connection for weights.
"""

import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from ovvis_cli import __version__
from ovvis_cli.atomic import disk_errors, fsync_file
from ovvis_cli.errors import DownloadError, ResourceError, WeightsError
from ovvis_cli.model_store.file_check import Expected, fault_of, is_page, megabytes

_CHUNK_BYTES: Final = 1 << 18
_SPACE_HINT: Final = "free some space, or set OVVIS_HOME to another folder; the partial download is kept"
_TEMPORARY_CODES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes received and the total, or None where the server does not tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Limits and pauses for a slow or failing server."""

    timeout_s: float = 30.0  # per connection and per read
    tries: int = 4  # in a row that received less than `slow_bytes`
    first_pause_s: float = 1.0  # between two tries; doubled each time
    slow_s: float = 60.0  # fewer than `slow_bytes` in this time count as a broken connection
    slow_bytes: int = 10_000


class _BrokenError(Exception):
    """The connection failed; another try may succeed."""


class _RefusedError(Exception):
    """The server refused; another try would get the same answer."""


def download(
    url: str,
    path: Path,
    *,
    expected: Expected,
    on_bytes: OnBytes,
    by_hand: str = "",
    retry_policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
) -> None:
    """Download `url` to `path`, unless the expected file is already there.

    An interrupted download is resumed by the next call. `by_hand` is the hint of errors: what to do without a
    network.

    Raises:
        DownloadError: the server cannot be reached, or refuses.
        WeightsError: the file is not the expected one; it is removed.
        ResourceError: the disk is full or not writable.
    """
    try:
        _download(
            _Transfer(url, path, expected=expected, on_bytes=on_bytes, retry_policy=retry_policy), by_hand
        )
    except ResourceError as error:
        raise ResourceError(error.message, hint=_SPACE_HINT) from error


def _download(transfer: "_Transfer", by_hand: str) -> None:
    path, part, expected = transfer.path, transfer.part, transfer.expected
    if path.is_file():
        _check(path, expected, named=str(path))
        return
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    _fetch_all(transfer, by_hand)
    transfer.tag_file.unlink(missing_ok=True)  # no longer needed, whether or not the file is right
    _check(part, expected, named=transfer.url)
    with disk_errors(path):
        fsync_file(part)
        part.replace(path)


def _check(path: Path, expected: Expected, *, named: str) -> None:
    """Remove a file that is not the expected one, and raise the error."""
    fault = fault_of(path, expected)
    if fault is not None:
        path.unlink()
        raise WeightsError(f"{named} is not the expected file: {fault}", hint="removed; try again")


def _fetch_all(transfer: "_Transfer", by_hand: str) -> None:
    """Retry until the file is complete, or too many tries in a row received next to nothing."""
    host = urlsplit(transfer.url).hostname or transfer.url
    failures = 0
    while True:
        before = transfer.size()
        try:
            transfer.fetch()
            return
        except _BrokenError as error:
            came = transfer.size() - before
            failures = 1 if came >= transfer.retry_policy.slow_bytes else failures + 1
            if failures >= transfer.retry_policy.tries:
                raise DownloadError(f"cannot download from {host}: {error}", hint=by_hand) from error
        except _RefusedError as error:
            raise DownloadError(f"{host} refuses {transfer.url}: {error}", hint=by_hand) from error
        time.sleep(transfer.retry_policy.first_pause_s * 2 ** (failures - 1))


class _Transfer:
    """A partial file and the source of the rest."""

    def __init__(
        self, url: str, path: Path, *, expected: Expected, on_bytes: OnBytes, retry_policy: RetryPolicy
    ) -> None:
        self.url = url
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.tag_file = path.with_name(f"{path.name}.part.tag")
        self.expected = expected
        self.on_bytes = on_bytes
        self.retry_policy = retry_policy
        self._opener: OpenerDirector = build_opener(_Redirects())

    def size(self) -> int:
        """Bytes received so far."""
        return self.part.stat().st_size if self.part.is_file() else 0

    def fetch(self) -> None:
        """Fetch what is missing in one connection."""
        request = Request(  # noqa: S310 - addresses come from the catalog
            self.url, headers={"User-Agent": f"ovvis/{__version__}", "Accept-Encoding": "identity"}
        )
        tag = self._known_tag()
        if tag is None:
            self.part.unlink(missing_ok=True)
        offset = self.size()
        if offset:
            request.add_header("Range", f"bytes={offset}-")
            if tag:
                request.add_header("If-Range", tag)
        response = self._open(request, offset=offset)
        if response is None:
            return
        with response:
            self._receive(response)

    def _known_tag(self) -> str | None:
        """Return the ETag of the partial file, "" without one, or None if the file belongs to another URL."""
        file = self.tag_file
        if not file.is_file():
            return None
        url, _, tag = file.read_text(encoding="utf-8").partition("\n")
        return tag if url == self.url else None

    def _open(self, request: Request, *, offset: int) -> HTTPResponse | None:
        """Return the response, or None if the partial file is already complete."""
        try:
            response: HTTPResponse = self._opener.open(request, timeout=self.retry_policy.timeout_s)
        except HTTPError as error:
            error.close()
            if error.code == 416 and offset:
                if error.headers.get("Content-Range", "") == f"bytes */{offset}":
                    return None
                self.part.unlink()
                raise _BrokenError("the file has changed") from error
            if error.code in _TEMPORARY_CODES:
                raise _BrokenError(f"HTTP {error.code} {error.reason}") from error
            raise _RefusedError(f"HTTP {error.code} {error.reason}") from error
        except URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise _RefusedError(error.reason.verify_message) from error
            raise _BrokenError(_reason(error.reason)) from error
        except (OSError, HTTPException) as error:
            raise _BrokenError(_reason(error)) from error
        return response

    def _receive(self, response: HTTPResponse) -> None:
        resumed = response.status == 206 and _range_start(response) == self.size()
        if response.status == 206 and not resumed:
            self.part.unlink(missing_ok=True)
            raise _BrokenError("the server sent a different range than requested")
        offset = self.size() if resumed else 0
        total = _total(response, offset=offset)
        self._refuse_wrong_size(total)
        self._require_space(total, offset=offset)
        with disk_errors(self.part):
            tag = response.headers.get("ETag", "")
            self.tag_file.write_text(f"{self.url}\n{'' if tag.startswith('W/') else tag}", encoding="utf-8")
            with self.part.open("ab" if resumed else "wb") as file:
                self._copy(response, file, done=offset, total=total)

    def _copy(self, response: HTTPResponse, file: IO[bytes], *, done: int, total: int | None) -> None:
        pace = _Pace(self.retry_policy)
        while chunk := _read(response):
            if done == 0 and is_page(chunk):
                self._discard("a text page, not weights")
            done += len(chunk)
            if done > self.expected.most_bytes:
                self._discard(f"more than {megabytes(self.expected.most_bytes)}")
            file.write(chunk)
            self.on_bytes(done, total)
            pace.add(len(chunk))
        whole = self.expected.size_bytes if total is None else total
        if whole is not None and done < whole:
            raise _BrokenError(f"the connection broke after {megabytes(done)} of {megabytes(whole)}")

    def _refuse_wrong_size(self, total: int | None) -> None:
        if total is None:
            return
        if total > self.expected.most_bytes:
            self._discard(f"{megabytes(total)}, expected at most {megabytes(self.expected.most_bytes)}")
        if self.expected.size_bytes not in (None, total):
            self._discard(f"{total} bytes, expected {self.expected.size_bytes}")

    def _require_space(self, total: int | None, *, offset: int) -> None:
        wanted = self.expected.size_bytes if total is None else total
        free = shutil.disk_usage(self.part.parent).free
        if wanted is not None and wanted - offset > free:
            raise ResourceError(
                f"{self.part.parent} has {megabytes(free)} free, {megabytes(wanted - offset)} needed",
                hint=_SPACE_HINT,
            )

    def _discard(self, fault: str) -> None:
        self.part.unlink(missing_ok=True)
        self.tag_file.unlink(missing_ok=True)
        raise WeightsError(
            f"{self.url} is not the expected file: {fault}",
            hint="removed; is a proxy or a login page answering instead?",
        )


class _Pace:
    """Detector of servers that send just enough not to time out."""

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self._retry_policy = retry_policy
        self._since_s = time.monotonic()
        self._bytes = 0

    def add(self, count: int) -> None:
        """Count received bytes; raises _BrokenError if there were too few for too long."""
        self._bytes += count
        now_s = time.monotonic()
        if now_s - self._since_s < self._retry_policy.slow_s:
            return
        if self._bytes < self._retry_policy.slow_bytes:
            raise _BrokenError(f"only {self._bytes} bytes received in {now_s - self._since_s:.0f} s")
        self._since_s, self._bytes = now_s, 0


class _Redirects(HTTPRedirectHandler):
    """Redirect handler that never goes from an encrypted to an unencrypted address."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise _RefusedError(f"it redirects to the unencrypted address {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK_BYTES)  # returns what is available, so that slow servers are noticed
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(error)) from error


def _total(response: HTTPResponse, *, offset: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdecimal() else None


def _range_start(response: HTTPResponse) -> int | None:
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdecimal() else None


def _reason(error: object) -> str:
    return str(error) or type(error).__name__
