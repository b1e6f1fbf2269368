"""Console output; the only module that imports Rich.

Results go to stdout (as tables, or one JSON object with --json), messages about the run to stderr.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from ovvis_cli.errors import OvvisError
from ovvis_models.errors import printable

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

JsonValue = str | int | float | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

_PLAIN_INTERVAL_S: Final = 5.0  # between progress lines without a terminal
_PLAIN_WIDTH: Final = 160  # table width in columns without a terminal


class Progress:
    """Progress of one task, shown on a display. Safe to call from any thread."""

    def __init__(self, display: "_Display", *, total: int | None, completed: int = 0) -> None:
        self._display = display
        self._total = total
        self._completed = completed
        self._first = completed  # done by an earlier run, not counted in the rate
        self._start_s = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, count: int = 1) -> None:
        """Advance by `count` units."""
        with self._lock:
            self._completed += count
            self._show()

    def update(self, completed: int, *, total: int | None = None) -> None:
        """Set the number of completed units; `total` replaces an earlier estimate."""
        with self._lock:
            self._completed = completed
            self._total = self._total if total is None else total
            self._show()

    def resume_at(self, completed: int) -> None:
        """Set the number of units that an earlier run completed."""
        with self._lock:
            self._first = self._completed = completed
            self._start_s = time.monotonic()
            self._show()

    def _show(self) -> None:
        elapsed_s = time.monotonic() - self._start_s
        rate = (self._completed - self._first) / elapsed_s if elapsed_s > 0 else 0.0
        self._display.show(self._completed, total=self._total, rate=rate)


class Console:
    """Output of one command: `quiet` shows only warnings and errors, `json` prints one object to stdout."""

    def __init__(self, *, quiet: bool = False, json: bool = False) -> None:
        self.quiet = quiet
        self.json = json
        self._bars = _SharedBars()

    def note(self, text: str) -> None:
        """Print one line about the run."""
        if not self.quiet:
            _print_line(text, style="dim")

    def warning(self, text: str) -> None:
        """Print one warning, even if quiet."""
        _print_line(text, label="warning", style="yellow")

    def error(self, error: OvvisError) -> None:
        """Print one line about an error: what happened, where, and how to fix it."""
        _print_line(str(error), label="error", style="bold red")

    def write(self, text: str) -> None:
        """Print one line of the result."""
        if not (self.quiet or self.json):
            _stdout().print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        title: str | None = None,
        colors: Sequence[tuple[int, int, int]] | None = None,
        unwrapped: Sequence[str] = (),
    ) -> None:
        """Print a table of results.

        Args:
            columns: their names.
            rows: the cells of each row.
            title: shown above the table.
            colors: RGB color of the first cell of each row.
            unwrapped: columns whose cells stay on one line, such as commands to copy.
        """
        if self.quiet or self.json:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            title=title and Text(printable(title)),
            title_justify="left",
        )
        for name in columns:
            table.add_column(name, overflow="fold", no_wrap=name in unwrapped)
        for index, row in enumerate(rows):
            cells = [Text(printable(cell)) for cell in row]
            if colors is not None:
                cells[0].stylize("rgb({},{},{})".format(*colors[index]))
            table.add_row(*cells)
        _stdout().print(table)

    def emit(self, value: Mapping[str, JsonValue]) -> None:
        """Print the machine-readable result if --json is set."""
        if self.json:
            sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
            sys.stdout.flush()

    @contextmanager
    def progress(
        self, description: str, *, total: int | None, unit: str = "frames", completed: int = 0
    ) -> Iterator[Progress]:
        """Show progress on stderr during the block: a bar on a terminal, else a line from time to time."""
        if self.quiet:
            yield Progress(_NoDisplay(), total=total, completed=completed)
        elif not _stderr().is_terminal:
            display = _LineDisplay(printable(description), unit=unit)
            yield Progress(display, total=total, completed=completed)
        else:
            with self._bars.opened() as bars:
                task = bars.add_task(printable(description), total=total, completed=completed, rate="")
                try:
                    yield Progress(_BarDisplay(bars, task, unit=unit), total=total, completed=completed)
                finally:
                    bars.refresh()  # the last state is shown before the bar goes
                    bars.remove_task(task)

    @contextmanager
    def text_progress(self) -> Iterator[Callable[[int, int], None]]:
        """Show the progress of encoding prompts while the block runs; nothing if all are cached."""
        with self.progress("text", total=None, unit="prompts") as progress:
            yield lambda done, total: progress.update(done, total=total)


def configure_logging(*, debug: bool) -> None:
    """Send log records to stderr, one line each: warnings and errors, or everything with `debug`."""
    handler = _LogHandler()
    layout = "%(relativeCreated)d ms %(name)s: %(message)s" if debug else "%(message)s"
    handler.setFormatter(logging.Formatter(layout))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("ovvis_cli", "ovvis_models"):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.WARNING)


class _LogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        _print_line(self.format(record), label=record.levelname.lower(), style=style)


class _Display(Protocol):
    def show(self, completed: int, *, total: int | None, rate: float) -> None: ...


class _NoDisplay:
    def show(self, completed: int, *, total: int | None, rate: float) -> None:
        """Do nothing."""


class _LineDisplay:
    def __init__(self, description: str, *, unit: str) -> None:
        self._description = description
        self._unit = unit
        self._last_s = time.monotonic()

    def show(self, completed: int, *, total: int | None, rate: float) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s < _PLAIN_INTERVAL_S:
            return
        self._last_s = now_s
        done = f"{completed}" if total is None else f"{completed}/{total}"
        left = _time_left(completed, total=total, rate=rate)
        _print_line(f"{self._description}: {done} {self._unit}, {rate:.1f} {self._unit}/s{left}", style="dim")


class _SharedBars:
    """One display for the progress bars of all threads: Rich draws only one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bars: RichProgress | None = None
        self._num_users = 0

    @contextmanager
    def opened(self) -> "Iterator[RichProgress]":
        with self._lock:
            if self._bars is None:
                self._bars = _rich_progress()
                self._bars.start()
            self._num_users += 1
            bars = self._bars
        try:
            yield bars
        finally:
            with self._lock:
                self._num_users -= 1
                if self._num_users == 0:
                    self._bars = None
                    bars.stop()


class _BarDisplay:
    def __init__(self, bars: "RichProgress", task: "TaskID", *, unit: str) -> None:
        self._bars = bars
        self._task = task
        self._unit = unit

    def show(self, completed: int, *, total: int | None, rate: float) -> None:
        text = f"{rate:.1f} {self._unit}/s{_time_left(completed, total=total, rate=rate)}"
        self._bars.update(self._task, completed=completed, total=total, rate=text)


def _time_left(completed: int, *, total: int | None, rate: float) -> str:
    if total is None or rate <= 0 or completed >= total:
        return ""
    return f", {duration_text((total - completed) / rate)} left"


def duration_text(seconds: float) -> str:
    """Return a duration as M:SS or H:MM:SS."""
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole_seconds:02}" if hours else f"{minutes}:{whole_seconds:02}"


def _rich_progress() -> "RichProgress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
    )
    return Progress(*columns, console=_stderr(), transient=True)


def _print_line(text: str, *, label: str = "", style: str) -> None:
    from rich.text import Text

    line = Text(f"{label}: ", style=style) if label else Text("")
    line.append(printable(text), style="" if label else style)
    _stderr().print(line, soft_wrap=True)


def _stdout() -> "RichConsole":
    from rich.console import Console as RichConsole

    return RichConsole(file=sys.stdout, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def _stderr() -> "RichConsole":
    from rich.console import Console as RichConsole

    return RichConsole(file=sys.stderr)
