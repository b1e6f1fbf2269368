"""What `--dry-run` and `ovvis batch` show."""

import shutil
import time
from pathlib import Path

from ovvis_cli.batch.estimate import Estimate
from ovvis_cli.batch.status import BatchStatus, VideoStatus
from ovvis_cli.console import Console, JsonValue, duration_text
from ovvis_cli.errors import SomeInputsFailed

_UNITS = (("GB", 1_000_000_000), ("MB", 1_000_000))


def show_estimate(estimate: Estimate, *, output: Path, console: Console) -> None:
    """Show the estimate of a batch.

    Raises:
        SomeInputsFailed: some videos cannot be opened.
    """
    free_bytes = shutil.disk_usage(output).free
    seconds, num_bytes = estimate.seconds, estimate.num_bytes
    rows = [
        ("videos", f"{estimate.num_videos:,}"),
        ("already done", f"{estimate.num_done:,}"),
        ("cannot be opened", f"{len(estimate.failures):,}"),
        ("frames left", f"{estimate.num_frames:,}"),
    ]
    if estimate.num_unknown:
        rows.append(("of unknown length", f"{estimate.num_unknown:,} videos, not counted below"))
    if seconds is not None and num_bytes is not None:
        rate = estimate.sample_frames / estimate.sample_s
        rows += [
            ("time", f"{duration_text(seconds)}, one video at a time"),
            ("size", f"{_size_text(num_bytes)}; {_size_text(free_bytes)} are free"),
            ("measured on", f"{estimate.sample_frames} frames, {rate:.1f} frames/s"),
        ]
    console.table(("estimate", ""), rows)
    if num_bytes is not None and num_bytes > free_bytes:
        console.warning(f"{output}: the results need more space than is free")
    for failure in estimate.failures:
        console.error(failure.error)
    console.emit(
        {
            "num_videos": estimate.num_videos,
            "num_done": estimate.num_done,
            "num_unknown": estimate.num_unknown,
            "num_frames_left": estimate.num_frames,
            "seconds": None if seconds is None else round(seconds, 1),
            "bytes": num_bytes,
            "free_bytes": free_bytes,
            "sample_frames": estimate.sample_frames,
            "failed": [
                {"input": str(failure.source.location), "message": failure.error.message}
                for failure in estimate.failures
            ],
        }
    )
    if estimate.failures:
        raise SomeInputsFailed(
            f"{len(estimate.failures)} of {estimate.num_videos} inputs cannot be opened",
            hint="a run would report them and do the others",
        )


def show_status(status: BatchStatus, *, console: Console) -> None:
    """Show counts, what is running, what failed and why, and the time that is left."""
    counts = status.counts
    console.write(", ".join(f"{number:,} {state}" for state, number in counts.items()))
    now_s = time.time()
    running = [
        (video.name, duration_text(now_s - video.attempt.since_s), video.attempt.run)
        for video in status.of_state("running")
        if video.attempt is not None
    ]
    if running:
        console.table(("running", "for", "by"), running)
    failed = status.of_state("failed")
    if failed:
        console.table(("failed", "why"), [(video.address, _why(video)) for video in failed])
    if counts["left"] or counts["running"]:
        console.write(_time_left(status))
    console.emit(
        {
            "counts": counts,
            "num_videos": len(status.videos),
            "seconds_left": None if status.seconds_left is None else round(status.seconds_left, 1),
            "runs": [{"name": run.name, "shard": run.shard} for run in status.runs],
            "videos": [_as_json(video) for video in status.videos],
        }
    )


def _size_text(num_bytes: int) -> str:
    """Return a size in the largest unit in which it is at least 1, else in kB."""
    unit, factor = next((each for each in _UNITS if num_bytes >= each[1]), ("kB", 1000))
    return f"{num_bytes / factor:.1f} {unit}"


def _time_left(status: BatchStatus) -> str:
    num_runs = len(status.runs)
    who = "no run is working; one run needs" if num_runs == 0 else f"{num_runs} run(s) at work;"
    if status.seconds_left is None:
        return f"{who} an unknown time: no video is done yet"
    return f"{who} about {duration_text(status.seconds_left)} for the rest"


def _why(video: VideoStatus) -> str:
    attempt = video.attempt
    if attempt is None:
        return ""
    return f"{attempt.message}; {attempt.hint}" if attempt.hint else attempt.message


def _as_json(video: VideoStatus) -> dict[str, JsonValue]:
    entry: dict[str, JsonValue] = {"name": video.name, "input": video.address, "state": video.state}
    attempt = video.attempt
    if attempt is not None and video.state == "failed":
        entry["error"] = {
            "message": attempt.message,
            "hint": attempt.hint,
            "exit_code": attempt.exit_code,
        }
    return entry
