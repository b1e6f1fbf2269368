"""`ovvis batch`: what became of many videos, and the failed ones again."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from ovvis_cli.choices import DEFAULT_SCRATCH_GB
from ovvis_cli.commands.options import JobsOption, JsonOption, QuietOption, ScratchOption, ScratchSizeOption
from ovvis_cli.console import Console
from ovvis_cli.errors import RecordError

if TYPE_CHECKING:
    from ovvis_cli.batch.status import BatchStatus

_EXIT_FAILED: Final = 1
_EXIT_RUNNING: Final = 10
_EXIT_LEFT: Final = 11

ResultsArgument = Annotated[
    str,
    typer.Argument(metavar="RESULTS", help="Results folder of the runs, or its address.", show_default=False),
]

batch = typer.Typer(help="Status of many videos, and retries.", no_args_is_help=True)


@batch.command("status")
def status(results: ResultsArgument, *, quiet: QuietOption = False, json: JsonOption = False) -> None:
    """Show how many videos are done, running, failed (and why) and left.

    Exit code 0: all are done. 1: some failed, the others are done. 10: a run is working. 11: some are left,
    and no run is working.
    """
    from ovvis_cli.commands.batch_report import show_status

    console = Console(quiet=quiet, json=json)
    found = _status(results)
    show_status(found, console=console)
    counts = found.counts
    if counts["running"] or (counts["left"] and found.runs):
        raise typer.Exit(_EXIT_RUNNING)
    if counts["left"]:
        raise typer.Exit(_EXIT_LEFT)
    if counts["failed"]:
        raise typer.Exit(_EXIT_FAILED)


@batch.command("retry")
def retry(
    results: ResultsArgument,
    *,
    left: Annotated[
        bool, typer.Option("--left", help="Also the videos that no run has begun, or that were interrupted.")
    ] = False,
    jobs: JobsOption = 1,
    scratch: ScratchOption = None,
    scratch_gb: ScratchSizeOption = DEFAULT_SCRATCH_GB,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Run the failed videos again, with the options of their run."""
    from ovvis_cli.batch.journal import Journal
    from ovvis_cli.batch.scratch import Scratch
    from ovvis_cli.batch.store import result_store
    from ovvis_cli.batch.worker import Places
    from ovvis_cli.commands.segment_run import segment_sources
    from ovvis_cli.video.inputs import Source
    from ovvis_cli.video.location import parse_location

    console = Console(quiet=quiet, json=json)
    found = _status(results)
    chosen = found.of_state("failed", "left") if left else found.of_state("failed")
    if not chosen:
        console.note("nothing to retry")
        return
    newest = max((video.plan for video in chosen), key=lambda plan: plan.created_s)
    same = [video for video in chosen if video.plan.request == newest.request]
    if len(same) < len(chosen):
        console.warning(
            f"{len(chosen) - len(same)} videos belong to an earlier command with other options"
            " and are not retried"
        )
    sources = [Source(location=parse_location(video.address), name=video.name) for video in same]
    places = Places(output=results, scratch=Scratch(scratch, limit_gb=scratch_gb))
    with Journal(result_store(results), request=newest.request) as journal:
        segment_sources(sources, newest.request, places=places, jobs=jobs, journal=journal, console=console)


def _status(results: str) -> "BatchStatus":
    """Return the status of the batch in a results folder.

    Raises:
        RecordError: no batch was run there, or its journal is damaged.
    """
    from ovvis_cli.batch.journal import read_journal
    from ovvis_cli.batch.status import batch_status
    from ovvis_cli.batch.store import result_store

    store = result_store(results)
    entries = read_journal(store)
    if not entries.plans:
        raise RecordError(
            f"{results} holds no batch",
            hint="give the --output of an ovvis segment with several inputs",
        )
    return batch_status(entries, finished=store.finished_results())
