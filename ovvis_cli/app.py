"""The `ovvis` command: one function per subcommand, and the conversion of errors to exit codes.

This module does not import torch; each command imports what it needs in its body.
"""

import os
import re
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Final, cast

import typer

from ovvis_cli import __version__
from ovvis_cli.commands.batch import batch
from ovvis_cli.commands.benchmark import benchmark
from ovvis_cli.commands.diorama import diorama
from ovvis_cli.commands.doctor import doctor
from ovvis_cli.commands.evaluate import evaluate
from ovvis_cli.commands.export import export
from ovvis_cli.commands.find import find
from ovvis_cli.commands.models import models
from ovvis_cli.commands.relabel import relabel
from ovvis_cli.commands.segment import segment
from ovvis_cli.commands.train import train
from ovvis_cli.console import Console, configure_logging
from ovvis_cli.errors import OvvisError, UsageError, as_ovvis_error, exit_code_of
from ovvis_cli.inference.allocator import keep_freed_memory
from ovvis_models.errors import printable

EXIT_STOPPED: Final = 130  # the code that shells report for Ctrl-C
EXIT_DEFECT: Final = 70  # EX_SOFTWARE: internal error of ovvis
_EXIT_BROKEN_PIPE: Final = 141

_EXAMPLES: Final = (
    "Find, segment and track in video every object of the categories you name. Three examples:",
    "",
    '  ovvis segment clip.mp4 --classes "dog,skateboard"      masks, tracks and an overlay video',
    '  ovvis relabel ovvis-out/clip --classes "wolf,scooter"  other names for the same tracks, in seconds',
    "  ovvis evaluate --dataset burst                         official figures of a model on a data set",
    "",
    "`ovvis --help` lists the commands, `ovvis COMMAND --help` the options of one.",
)

_RAY_ADDRESS: Final = re.compile(r"local|auto|ray://.+|[\w.-]+:\d+")

# Base class of Typer's parse errors; its public name differs between versions.
_ParseError: Final = cast(type[Exception], typer.BadParameter.__bases__[0])

app = typer.Typer(
    name="ovvis",
    help="Find, segment and track in video every object of the categories you name.",
    pretty_exceptions_enable=False,
)
app.command()(segment)
app.add_typer(batch, name="batch")
app.command()(export)
app.command()(relabel)
app.command()(find)
app.command()(evaluate)
app.command()(benchmark)
app.command()(train)
app.command()(diorama)
app.add_typer(models, name="models")
app.command()(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ovvis {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Detailed log messages, and tracebacks of errors.")
    ] = False,
) -> None:
    configure_logging(debug=debug)
    if context.invoked_subcommand is None:
        for line in _EXAMPLES:
            Console().write(line)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, an error code (`errors.py`), 130 stopped, 70 internal error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    keep_freed_memory()
    sys.exit(run(given))


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; an error is printed as one line on stderr."""
    debug, given = _take_debug(arguments)
    given = _with_ray_address(given)
    try:
        result = app(["--debug", *given] if debug else given, prog_name="ovvis", standalone_mode=False)
        if result == EXIT_STOPPED:  # newer versions of Typer return this for Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        Console().note("stopped; run the same command to resume")
        return EXIT_STOPPED
    except BrokenPipeError:  # the reader of our output, such as `head`, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - top-level handler
        if isinstance(error, _ParseError) and not _parse_message(error):
            return 0  # a group of commands without a command: its help was shown
        if debug:
            for line in traceback.format_exc().splitlines():  # may contain untrusted file names
                sys.stderr.write(f"{printable(line)}\n")
        return _report(error, debug=debug)


def _report(error: Exception, *, debug: bool) -> int:
    """Print the error as one line and return its exit code."""
    known = _usage_error(error) if isinstance(error, _ParseError) else as_ovvis_error(error)
    if known is not None:
        Console().error(known)
        return exit_code_of(known)
    hint = "" if debug else "run again with --debug for the traceback, and please report it"
    Console().error(OvvisError(f"internal error of ovvis: {type(error).__name__}: {error}", hint=hint))
    return EXIT_DEFECT


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Remove `--debug` from any position of the arguments, and return whether it was given."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(options) < end, [*options, *arguments[end:]]


def _with_ray_address(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `auto` after a `--ray` without an address: Typer has no optional values."""
    completed: list[str] = []
    for argument, following in zip(arguments, [*arguments, ""][1:], strict=True):
        completed.append(argument)
        if argument == "--ray" and not _RAY_ADDRESS.fullmatch(following):
            completed.append("auto")
    return completed


def _usage_error(error: Exception) -> UsageError:
    """Convert Typer's parse error to one line, with the nearest valid choice as a hint."""
    message = _parse_message(error)
    found = re.search(r"'(?P<value>[^']*)' is not one of (?P<choices>'.*')", message)
    if found is not None:
        near = get_close_matches(found["value"], re.findall(r"'([^']*)'", found["choices"]), n=1)
        if near:
            return UsageError(message, hint=f"did you mean {near[0]}?")
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "ovvis")
    return UsageError(message, hint=f"see {command} --help")


def _parse_message(error: Exception) -> str:
    format_message = getattr(error, "format_message", error.__str__)
    return str(format_message()).replace("Value error, ", "").strip().rstrip(".")


if __name__ == "__main__":
    main()
