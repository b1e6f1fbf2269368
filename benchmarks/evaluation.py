"""Seconds and memory to score a synthetic data set of the shape of LV-VIS's validation split.

    python -m benchmarks.evaluation [--videos 1000] [--slow]

Writes the data set to a temporary folder (some 630 MB), then runs `ovvis evaluate --annotations
--predictions` on it in a separate process; `--slow` also runs the plain evaluator of
`tests/evaluation/slow_reference.py`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.evaluation.slow_reference import slow_metrics
from tests.evaluation.synthetic import write_synthetic

SHELL = "from ovvis_cli.app import main; main()"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_synthetic(folder, num_videos=options.videos, num_predictions=100, num_categories=1196)
        truth, results = folder / "ground_truth.json", folder / "predictions.json"
        files = ["--annotations", str(truth), "--predictions", str(results)]
        start_s = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", SHELL, "evaluate", *files, "--dataset", "lvvis", "--json", "--quiet"],
            check=True,
            stdout=subprocess.PIPE,
        )
        seconds = time.perf_counter() - start_s
        size_mb = results.stat().st_size / 1e6
        peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        print(f"{options.videos} videos, {size_mb:.0f} MB: {seconds:.1f} s, {peak_gb:.2f} GB")
        print(told.stdout.decode())
        if options.slow:
            start_s = time.perf_counter()
            plain = slow_metrics(json.loads(truth.read_text()), json.loads(results.read_text()))
            print(f"plain evaluator: {time.perf_counter() - start_s:.1f} s", plain)


if __name__ == "__main__":
    main()
