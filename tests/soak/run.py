"""Many damaged files, in a process that may crash or hang.

    PYTHONPATH=.:models /usr/bin/time -v python -m tests.soak.run KIND [--count 500] [--seed 0] [--keep DIR]

KIND is video, image, record or annotations. Prints every file that gave anything but an `OvvisError`, crashed
the process or took longer than 60 s, keeps it in --keep, and ends with the number of files and the peak
memory.
"""

import argparse
import multiprocessing
import resource
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from ovvis_cli.errors import as_ovvis_error
from tests.soak.targets import TARGETS

LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One damaged file that was not handled."""

    kind: str
    seed: int
    what: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=TARGETS)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that were not handled")
    options = parser.parse_args()
    problems, peak_mib = soak(options.kind, count=options.count, seed=options.seed, keep=options.keep)
    for problem in problems:
        print(f"{problem.kind} {problem.seed}: {problem.what}")
    print(f"{options.count} {options.kind} files, {len(problems)} problems, peak memory {peak_mib:.0f} MiB")
    sys.exit(1 if problems else 0)


def soak(kind: str, *, count: int, seed: int = 0, keep: Path | None = None) -> tuple[list[Problem], float]:
    """Check `count` damaged files; return the problems and the peak memory [MiB] of the processes."""
    problems: list[Problem] = []
    peak_mib = 0.0
    next_seed = seed
    while next_seed < seed + count:  # again after a crash or a hang
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_check_all, args=(kind, next_seed, seed + count, keep, theirs))
        process.start()
        theirs.close()
        current = next_seed
        while True:
            if not ours.poll(LIMIT_S + 60.0 * (current == next_seed)):  # the first one waits for imports
                problems.append(Problem(kind=kind, seed=current, what=f"took longer than {LIMIT_S:.0f} s"))
                process.kill()
                break
            try:
                message = ours.recv()
            except EOFError:
                process.join()
                if current < seed + count:
                    what = f"the process ended with code {process.exitcode}"
                    problems.append(Problem(kind=kind, seed=current, what=what))
                break
            if isinstance(message, Problem):
                problems.append(message)
            else:
                current, peak_mib = message[0], max(peak_mib, message[1])
        process.join()
        next_seed = current + 1
    return problems, peak_mib


def _check_all(kind: str, first: int, end: int, keep: Path | None, pipe: Connection) -> None:
    """Check the files of all seeds from `first` to `end`; send the seed of the next one before each."""
    for seed in range(first, end):
        pipe.send((seed, _peak_mib()))
        with TemporaryDirectory(prefix="ovvis-soak-") as name:
            path = TARGETS[kind].damage(Path(name), seed=seed)
            damaged = path.read_bytes()
            problem = problem_of(kind, path)
            if problem is not None:
                pipe.send(Problem(kind=kind, seed=seed, what=problem))
                if keep is not None:
                    kept = keep / kind / str(seed) / path.relative_to(name)
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    kept.write_bytes(damaged)
    pipe.send((end, _peak_mib()))


def problem_of(kind: str, path: Path) -> str | None:
    """Return the traceback of what a damaged file caused, None if it was read or refused."""
    try:
        TARGETS[kind].check(path)
    except Exception as error:  # noqa: BLE001 - that is the question
        if as_ovvis_error(error) is None:
            return f"{path.name}: {''.join(traceback.format_exception(error))}"
    return None


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
