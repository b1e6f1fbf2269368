"""Fetching one published file: resumed where a connection broke, bounded, checked, in place at once or not.

    <name>.part        what has come so far
    <name>.part.tag    the address and the server's tag (ETag) of that part: another version starts anew
    <name>             the whole file, checked

Proxies are those of the environment, as urllib reads them. This is the only file that opens a connection for
weights.
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
_SPACE_HINT: Final = "free some space, or set OVVIS_HOME to another folder; what has come is kept"
_TEMPORARY_CODES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

OnBytes = Callable[[int, int | None], None]
"""Told the bytes that are there, and how many there will be, None where the server does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait for a server."""

    timeout_s: float = 30.0  # for a connection, and for each piece of the answer
    tries: int = 4  # in a row that brought less than `slow_bytes`
    first_pause_s: float = 1.0  # between two tries; doubled each time
    slow_s: float = 60.0  # over such a time, slower than `slow_bytes` counts as a broken connection
    slow_bytes: int = 10_000


class _BrokenError(Exception):
    """The connection failed in a way that another try may mend."""


class _RefusedError(Exception):
    """Another try will get the same answer."""


def download(
    url: str,
    path: Path,
    *,
    expected: Expected,
    on_bytes: OnBytes,
    by_hand: str = "",
    retry_policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
) -> None:
    """Puts the file of `url` at `path`; nothing is fetched where the expected file is there already.

    A stopped download is carried on by the next call. `by_hand` is the hint of errors: what to do without a
    network.

    Raises:
        DownloadError: the server cannot be reached, or refuses.
        WeightsError: what came is not the expected file; it is removed.
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
    transfer.tag_file.unlink(missing_ok=True)  # of no use to a whole part, right or wrong
    _check(part, expected, named=transfer.url)
    with disk_errors(path):
        fsync_file(part)
        part.replace(path)


def _check(path: Path, expected: Expected, *, named: str) -> None:
    """Removes a file that is not the expected one, and says so."""
    fault = fault_of(path, expected)
    if fault is not None:
        path.unlink()
        raise WeightsError(f"{named} is not the expected file: {fault}", hint="removed; try again")


def _fetch_all(transfer: "_Transfer", by_hand: str) -> None:
    """Tries until the part is whole, or the server gave next to nothing so many times in a row."""
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
    """One part file and where the rest of it comes from."""

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
        """Bytes that are there."""
        return self.part.stat().st_size if self.part.is_file() else 0

    def fetch(self) -> None:
        """Fetches what is missing, in one connection."""
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
        """The server's tag of the part, "" where it gave none; None where the part is of another address."""
        file = self.tag_file
        if not file.is_file():
            return None
        url, _, tag = file.read_text(encoding="utf-8").partition("\n")
        return tag if url == self.url else None

    def _open(self, request: Request, *, offset: int) -> HTTPResponse | None:
        """The answer; None where the part is whole already."""
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
            raise _BrokenError("the server sent another part than was asked for")
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
                self._discard("a text page, no weights")
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
            self._discard(f"{megabytes(total)}, at most {megabytes(self.expected.most_bytes)} were expected")
        if self.expected.size_bytes not in (None, total):
            self._discard(f"{total} bytes instead of {self.expected.size_bytes}")

    def _require_space(self, total: int | None, *, offset: int) -> None:
        wanted = self.expected.size_bytes if total is None else total
        free = shutil.disk_usage(self.part.parent).free
        if wanted is not None and wanted - offset > free:
            raise ResourceError(
                f"{self.part.parent} has {megabytes(free)} left, {megabytes(wanted - offset)} are to come",
                hint=_SPACE_HINT,
            )

    def _discard(self, fault: str) -> None:
        self.part.unlink(missing_ok=True)
        self.tag_file.unlink(missing_ok=True)
        raise WeightsError(
            f"{self.url} is not the expected file: {fault}",
            hint="removed; does a proxy or a login page answer in its place?",
        )


class _Pace:
    """Notices a server that sends just enough not to time out."""

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self._retry_policy = retry_policy
        self._since_s = time.monotonic()
        self._bytes = 0

    def add(self, count: int) -> None:
        """So many bytes came."""
        self._bytes += count
        now_s = time.monotonic()
        if now_s - self._since_s < self._retry_policy.slow_s:
            return
        if self._bytes < self._retry_policy.slow_bytes:
            raise _BrokenError(f"only {self._bytes} bytes came in {now_s - self._since_s:.0f} s")
        self._since_s, self._bytes = now_s, 0


class _Redirects(HTTPRedirectHandler):
    """Follows redirections, but never from an encrypted connection to an open one."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise _RefusedError(f"it leads to the unencrypted address {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK_BYTES)  # what is there, so that a slow server is noticed
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
