"""Milliseconds to prepare a frame for the networks, with Pillow's resize and with torch's.

    python benchmarks/resize.py [--threads 1] [--frames 20]

From 720p to 480 lines, preparation included; the two differ by one gray level at most (`tests/parity`).
"""

import argparse
import time
from dataclasses import replace

import torch

from ovvis_models.preprocess import ImageInput, geometry, prepare
from ovvis_models.systems.instformer_models import INSTFORMER_R50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pillow = INSTFORMER_R50.proposal_input
    for wanted in (pillow, replace(pillow, resize="torch")):
        print(f"{wanted.resize}: {1000 * seconds(wanted, num_frames=options.frames):.1f} ms a frame")


@torch.inference_mode()
def seconds(wanted: ImageInput, *, num_frames: int) -> float:
    """Return the median over frames."""
    frame = torch.randint(0, 256, (1, 720, 1280, 3), dtype=torch.uint8)
    shape = geometry((720, 1280), short_side=wanted.short_side, max_side=wanted.max_side, divisor=32)
    times_s = []
    for _ in range(num_frames):
        start_s = time.perf_counter()
        prepare(frame, shape, mean=wanted.mean, std=wanted.std, resize=wanted.resize)
        times_s.append(time.perf_counter() - start_s)
    return sorted(times_s)[len(times_s) // 2]


if __name__ == "__main__":
    main()
