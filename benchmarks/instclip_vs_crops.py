"""Seconds per frame of InstCLIP (one pass) against one CLIP pass per masked crop, same random weights, on the
CPU.

    python benchmarks/instclip_vs_crops.py [--proposals 100] [--threads 1] [--repeats 3]

Prints one line per frame size of InstCLIP; crops always have CLIP's own size. The two are timed in turns and
the fastest turn counts, so that other load slows both alike.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch

from ovvis_models.heads.classifier import InstanceEncoder
from ovvis_models.heads.guidance import LogProbabilityGuidance
from ovvis_models.heads.masked_crops import MaskedCrops
from ovvis_models.networks.clip import VIT_B_32, build_clip
from ovvis_models.networks.instclip import InstCLIP

FRAME_SIZES_HW = ((224, 384), (384, 672))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--proposals", type=int, default=100)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    clip = build_clip(VIT_B_32).eval()
    encoders: dict[str, InstanceEncoder] = {
        "one pass": InstCLIP(clip, guidance=LogProbabilityGuidance()).eval(),
        "crops": MaskedCrops(clip.visual, crop_size=VIT_B_32.vision.image_size, embed_dim=VIT_B_32.embed_dim),
    }
    for height, width in FRAME_SIZES_HW:
        images = torch.randn(1, 3, height, width)
        masks = blobs(options.proposals, height // 4, width // 4)
        seconds = dict.fromkeys(encoders, float("inf"))
        for _ in range(options.repeats):
            for name, encoder in encoders.items():
                seconds[name] = min(seconds[name], timed(partial(encoder.encode_instances, images, masks)))
        ratio = seconds["crops"] / seconds["one pass"]
        figures = ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
        print(f"{options.proposals} proposals, frame {height}x{width}: {figures}; {ratio:.1f} times faster")


def blobs(count: int, height: int, width: int) -> torch.Tensor:
    """Return logits (1, count, height, width) of discs of all sizes and places."""
    centre = torch.rand(count, 2, 1, 1) * torch.tensor([height, width]).view(1, 2, 1, 1)
    radius = height * (0.05 + 0.4 * torch.rand(count, 1, 1))
    rows, columns = torch.arange(height).view(1, -1, 1), torch.arange(width).view(1, 1, -1)
    distance = ((rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2).sqrt()
    return (radius - distance).unsqueeze(0)


@torch.inference_mode()
def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
