"""Journal of a batch: small files beside the results that tell what is done, running, failed and left.

    .ovvis-batch/plans/<digest>.json     a request and its inputs, those of all shards
    .ovvis-batch/runs/<host>-<pid>.json  a run that is working; it renews its time stamp until it ends
    .ovvis-batch/videos/<name>.json      the last attempt at a video: running, done or failed

Each file is written by one process and replaced atomically, so any number of runs can share a results folder.
"""

import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

from ovvis_cli.batch.request import SegmentRequest
from ovvis_cli.batch.shards import Shard
from ovvis_cli.batch.store import ResultStore
from ovvis_cli.errors import OvvisError, RecordError, ResourceError, exit_code_of
from ovvis_cli.video.inputs import Source

logger = logging.getLogger(__name__)

FOLDER: Final = ".ovvis-batch"
_PLANS, _RUNS, _VIDEOS = f"{FOLDER}/plans", f"{FOLDER}/runs", f"{FOLDER}/videos"
_RENEWAL_S: Final = 20.0
_SILENCE_S: Final = 90.0  # after which a run on another machine counts as ended

AttemptState = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A request, and the inputs for which it was given."""

    request: SegmentRequest
    inputs: Mapping[str, str]  # absolute path or URL by name of the result folder
    created_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The last attempt at a video."""

    name: str  # of the result folder
    state: AttemptState
    request: str  # digest
    run: str
    since_s: float  # seconds since 1970
    elapsed_s: float = 0.0
    num_analysed: int = 0  # frames; 0 if an earlier run had analysed them
    message: str = ""
    hint: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A process that works on a batch."""

    name: str
    host: str
    pid: int
    shard: str | None
    started_s: float
    renewed_s: float

    def is_alive(self) -> bool:
        """Return whether the process still works; for another machine, whether it did so recently."""
        is_recent = time.time() - self.renewed_s < _SILENCE_S
        if not is_recent or self.host != socket.gethostname() or os.name == "nt":
            return is_recent
        try:
            os.kill(self.pid, 0)  # only asks whether the process exists
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # of another user
        return True


class Journal:
    """Notes of one run. Safe to call from any thread."""

    def __init__(self, store: ResultStore, *, request: SegmentRequest, shard: Shard | None = None) -> None:
        self._store = store
        self._request = request
        self._digest = request.digest
        started_s = time.time()
        host, pid = socket.gethostname(), os.getpid()
        self._run = Run(
            name=f"{host}-{pid}",
            host=host,
            pid=pid,
            shard=None if shard is None else str(shard),
            started_s=started_s,
            renewed_s=started_s,
        )
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew, name="ovvis-journal", daemon=True)

    def __enter__(self) -> Self:
        self._write_run()
        self._renewal.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._renewal.join()
        try:
            self._store.remove(self._run_path)
        except ResourceError as failure:
            logger.warning("the journal is behind: %s", failure)

    def plan(self, sources: Sequence[Source]) -> None:
        """Note all inputs of the request, those of other shards too."""
        inputs = {source.name: _address(source) for source in sources}
        content = {"request": self._request.to_json(), "inputs": inputs}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        self._store.write(f"{_PLANS}/{digest}.json", json.dumps(content | {"created_s": time.time()}))

    def running(self, source: Source) -> None:
        """Note that work on a video begins."""
        self._note(source, "running")

    def done(self, source: Source, *, num_analysed: int, elapsed_s: float) -> None:
        """Note that a video is done."""
        self._note(source, "done", num_analysed=num_analysed, elapsed_s=elapsed_s)

    def failed(self, source: Source, error: OvvisError) -> None:
        """Note why a video failed."""
        self._note(
            source, "failed", message=error.message, hint=error.hint or "", exit_code=exit_code_of(error)
        )

    def _note(self, source: Source, state: AttemptState, **details: Any) -> None:  # noqa: ANN401
        attempt = Attempt(
            name=source.name,
            state=state,
            request=self._digest,
            run=self._run.name,
            since_s=time.time(),
            **details,
        )
        self._write(f"{_VIDEOS}/{source.name}.json", asdict(attempt))

    def _renew(self) -> None:
        while not self._ended.wait(_RENEWAL_S):
            self._write_run()

    def _write_run(self) -> None:
        self._write(self._run_path, asdict(self._run) | {"renewed_s": time.time()})

    def _write(self, path: str, value: Mapping[str, Any]) -> None:
        """Write one note. A failure is only logged: the results count, and the next run notes them again."""
        try:
            self._store.write(path, json.dumps(value))
        except ResourceError as error:
            logger.warning("the journal is behind: %s", error)

    @property
    def _run_path(self) -> str:
        return f"{_RUNS}/{self._run.name}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntries:
    """Contents of the journal of a results folder."""

    plans: tuple[Plan, ...]  # oldest first
    attempts: Mapping[str, Attempt]  # by name of the result folder
    runs: Mapping[str, Run]  # by name; including runs that were killed


def read_journal(store: ResultStore) -> JournalEntries:
    """Read the journal of a results folder.

    Raises:
        RecordError: a file is damaged or of another version of ovvis.
    """
    plans = [
        Plan(
            request=SegmentRequest.from_json(value["request"], where=path),
            inputs=value["inputs"],
            created_s=value["created_s"],
        )
        for path, value in _read_all(store, _PLANS, keys={"request", "inputs", "created_s"})
    ]
    attempts = [_entry(Attempt, value, where=path) for path, value in _read_all(store, _VIDEOS)]
    runs = [_entry(Run, value, where=path) for path, value in _read_all(store, _RUNS)]
    return JournalEntries(
        plans=tuple(sorted(plans, key=lambda plan: plan.created_s)),
        attempts={attempt.name: attempt for attempt in attempts},
        runs={run.name: run for run in runs},
    )


def _address(source: Source) -> str:
    return str(source.location.path.absolute()) if source.location.is_local else source.location.text


def _read_all(
    store: ResultStore, folder: str, *, keys: Set[str] = frozenset()
) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path, text in store.read_all(folder).items():
        try:
            value = json.loads(text)
        except ValueError:
            raise _damaged(path) from None
        if not isinstance(value, dict) or not keys <= value.keys():
            raise _damaged(path)
        found.append((path, value))
    return found


def _entry(kind: type[Any], value: dict[str, Any], *, where: str) -> Any:  # noqa: ANN401
    try:
        return kind(**value)
    except TypeError:
        raise _damaged(where) from None


def _damaged(path: str) -> RecordError:
    return RecordError(
        f"{path} is damaged or of another version of ovvis",
        hint="remove the file; the next run of the same command writes it again",
    )
