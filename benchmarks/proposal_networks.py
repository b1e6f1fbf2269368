"""Operations and processor time of one frame by InstFormer with each of its full-size proposal networks.

    python -m benchmarks.proposal_networks [--models NAME ...]

Weights are random. Processor time of one thread depends less on other load than wall-clock time does.
"""

import argparse
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from ovvis_cli.benchmarking.workload import random_model
from ovvis_models.networks.video_network import FrameNetwork

MODELS = ("instformer-r50", *(f"instformer-rfdetr-{size}" for size in ("nano", "small", "medium", "large")))
FRAME_HW = (480, 854)


def main() -> None:
    """Measure the models one after the other and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    frame = torch.randint(0, 256, (1, *FRAME_HW, 3), dtype=torch.uint8)
    for name in options.models:
        network = random_model(name).network.requires_grad_(requires_grad=False)
        assert isinstance(network, FrameNetwork), f"{name} encodes windows of several frames"
        flops, seconds = cost(network, frame)
        print(f"{name:28}{flops / 1e9:8.1f} GFLOP {seconds:6.2f} s of processor time", flush=True)


@torch.no_grad()  # the counter's hooks cannot run under inference mode
def cost(network: FrameNetwork, frame: torch.Tensor) -> tuple[float, float]:
    """Return the operations and the seconds of processor time of one frame (1, H, W, 3)."""
    start_s = time.process_time()
    with FlopCounterMode(display=False) as counter:
        network.predict(frame)
    return counter.get_total_flops(), time.process_time() - start_s


if __name__ == "__main__":
    main()
