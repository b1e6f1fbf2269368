"""Status of a batch: which videos are done, running, failed and left, and the time that is left."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ovvis_cli.batch.journal import Attempt, JournalEntries, Plan, Run

VideoState = Literal["done", "running", "failed", "left"]
VIDEO_STATES: tuple[VideoState, ...] = ("done", "running", "failed", "left")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoStatus:
    """One video of a batch."""

    name: str  # of its result folder
    address: str  # absolute path or URL
    plan: Plan  # the newest request for this video
    state: VideoState
    attempt: Attempt | None  # the last one for this request


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """All videos of a results folder, and the runs that work on them."""

    videos: tuple[VideoStatus, ...]
    runs: tuple[Run, ...]  # those that are alive
    seconds_left: float | None  # with these runs; with one run if there is none; None if nothing is known

    @property
    def counts(self) -> dict[str, int]:
        """The number of videos in each state."""
        found = Counter(video.state for video in self.videos)
        return {state: found[state] for state in VIDEO_STATES}

    def of_state(self, *states: VideoState) -> list[VideoStatus]:
        """Return the videos in one of these states."""
        return [video for video in self.videos if video.state in states]


def batch_status(entries: JournalEntries, *, finished: set[str]) -> BatchStatus:
    """Return the status of a batch from its journal and the names of the finished result folders."""
    newest = {name: (plan, address) for plan in entries.plans for name, address in plan.inputs.items()}
    runs = tuple(run for run in entries.runs.values() if run.is_alive())
    alive = {run.name for run in runs}
    videos = []
    for name, (plan, address) in newest.items():
        attempt = entries.attempts.get(name)
        if attempt is not None and attempt.request != plan.request.digest:
            attempt = None  # of an earlier command with other options
        state = _state(attempt, alive=alive, is_finished=name in finished)
        videos.append(VideoStatus(name=name, address=address, plan=plan, state=state, attempt=attempt))
    return BatchStatus(videos=tuple(videos), runs=runs, seconds_left=_seconds_left(videos, runs=runs))


def _state(attempt: Attempt | None, *, alive: set[str], is_finished: bool) -> VideoState:
    if attempt is None:
        return "left"
    if attempt.state == "running":
        return "running" if attempt.run in alive else "left"
    if attempt.state == "done":
        return "done" if is_finished else "left"
    return "failed"


def _seconds_left(videos: Sequence[VideoStatus], *, runs: Sequence[Run]) -> float | None:
    """Return the time for the videos that are left and running, at the speed of the work so far."""
    num_left = sum(video.state in {"left", "running"} for video in videos)
    if num_left == 0:
        return 0.0
    attempts = [video.attempt for video in videos if video.attempt is not None]
    analysed = [attempt for attempt in attempts if attempt.state == "done" and attempt.num_analysed > 0]
    now_s = time.time()
    per_second = sum(
        sum(attempt.run == run.name for attempt in analysed) / max(now_s - run.started_s, 1.0) for run in runs
    )
    if per_second > 0:
        return num_left / per_second
    if not analysed:
        return None
    return num_left * sum(attempt.elapsed_s for attempt in analysed) / len(analysed)
