"""Compare our networks with numbers that the official code computed: `python tests/parity/check.py FOLDER`.

A folder holds case.json (system, sizes, settings, gains), layout.json (names and shapes of the official
checkpoint) and arrays.npz (inputs, intermediate and final results). Weights are a function of their names.
Prints one line for each array and exits 1 when one falls short, 2 when the folder cannot be checked.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [entry for entry in (str(ROOT), str(ROOT / "models")) if entry not in sys.path]

import torch  # noqa: E402

from tests.parity.comparison import Verdict, compare  # noqa: E402
from tests.parity.exact import exact_convolutions  # noqa: E402
from tests.parity.fixture import Fixture, read_fixture  # noqa: E402
from tests.parity.systems import SYSTEMS  # noqa: E402

DTYPES = {"float64": torch.float64, "float32": torch.float32}
TOLERANCES = {"float64": 1e-6, "float32": 1e-4}  # of the largest absolute value of an array


def check(fixture: Fixture, *, dtype_name: str) -> list[Verdict]:
    """Return the verdict on every array of the fixture; one that no row knows falls short."""
    with exact_convolutions():
        ours = SYSTEMS[fixture.system](fixture, DTYPES[dtype_name])
    verdicts = []
    for name, reference in fixture.arrays.items():
        found = ours(name)
        if found is None:
            verdicts.append(
                Verdict(
                    name=name,
                    max_abs=float("nan"),
                    max_rel=float("nan"),
                    passed=False,
                    remark="unknown array",
                )
            )
        else:
            verdicts.append(compare(name, reference, found, tolerance=TOLERANCES[dtype_name]))
    return verdicts


def main(arguments: list[str]) -> int:
    """Check one folder, print the table, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float64")
    options = parser.parse_args(arguments)
    try:
        fixture = read_fixture(options.folder)
    except (OSError, ValueError, KeyError) as error:
        print(f"{options.folder}: no readable fixture: {error}", file=sys.stderr)
        return 2
    if fixture.system not in SYSTEMS:
        known = ", ".join(sorted(SYSTEMS))
        print(
            f"{options.folder}: system {fixture.system!r} is not checked here (only {known})", file=sys.stderr
        )
        return 2
    verdicts = check(fixture, dtype_name=options.dtype)
    print(f"{fixture.case['fixture']} in {options.dtype}; tolerance {TOLERANCES[options.dtype]:g}")
    print(f"{'array':24} {'max abs':>10} {'max rel':>10}  verdict")
    for verdict in verdicts:
        word = "ok" if verdict.passed else "SHORT"
        print(f"{verdict.name:24} {verdict.max_abs:10.2e} {verdict.max_rel:10.2e}  {word} {verdict.remark}")
    short = sum(not verdict.passed for verdict in verdicts)
    print(f"{len(verdicts) - short} of {len(verdicts)} arrays agree")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
