"""Scores a folder with official numbers and prints every number beside ours.

    python tests/evaluation/check.py FOLDER [--differences]

FOLDER holds expected.json with ground_truth.json and predictions.json, or is a folder of such folders, or of
files with many cases, as in tests/evaluation/fixtures. Exits with 1 when a number differs by more than 1e-9.
"""

import argparse
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT), str(_ROOT / "models")]

from tests.evaluation.cases import cases_of  # noqa: E402  the repository has to be importable first


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--differences", action="store_true", help="print only numbers that differ")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    num_cases = num_numbers = num_different = 0
    for case in cases_of(options.folder):
        num_cases += 1
        print(f"== {case.name}" + (f" ({case.remark})" if case.remark else ""))
        for number in case.numbers:
            num_numbers += 1
            num_different += not number.agrees
            if not number.agrees or not options.differences:
                mark = "  " if number.agrees else "! "
                print(f"{mark}{number.name}: expected {number.expected!r}, ours {number.ours!r}")
    print(f"{num_cases} cases, {num_numbers} numbers, {num_different} different")
    return 1 if num_different or not num_numbers else 0


if __name__ == "__main__":
    sys.exit(main())
