"""Milliseconds a frame that each choice for speed saves: the network as it runs, and with one choice undone.

    python -m benchmarks.choices [--model instformer-r50] [--size 480x854] [--precision auto] [--rounds 10]

All have the same random weights and see the same frame, in turns. Prints the median turn, and the median of
the differences within a round, so that a busy machine disturbs them little.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.deformable import by_grid_sample
from ovvis_cli.allocator import keep_freed_memory
from ovvis_cli.device import DTYPES, Precision, resolve_precision
from ovvis_cli.options import parse_size_hw
from ovvis_models.backbones.folding import fold_norms, fold_quick_gelus
from ovvis_models.blocks import transformer_layers
from ovvis_models.blocks.deformable_attention import DeformableAttention
from ovvis_models.catalog import Network, build
from ovvis_models.precision import round_weights

ROUNDS = 10
AS_IT_RUNS = "as it runs"


@dataclass(frozen=True, kw_only=True)
class Form:
    """A network and what is to be in force while it runs."""

    network: Network
    during: Callable[[], AbstractContextManager[object]] = nullcontext


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="instformer-r50")
    parser.add_argument("--size", default="480x854")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    precision = resolve_precision(options.precision, torch.device("cpu"))
    height, width = parse_size_hw(options.size, option="--size")
    frames = torch.randint(0, 256, (1, height, width, 3), dtype=torch.uint8)
    keep_freed_memory()  # as the ovvis command does
    forms = choices(options.model, precision=precision)
    seconds = in_turns(forms, frames, precision=precision, rounds=options.rounds)
    print(f"{options.model}, {options.size}, {precision}, {torch.get_num_threads()} threads: ms a frame")
    for name, taken in seconds.items():
        more = median(one - other for one, other in zip(taken, seconds[AS_IT_RUNS], strict=True))
        print(f"{name:36}{median(taken) * 1e3:6.0f}{more * 1e3:+6.0f}")


def choices(name: str, *, precision: Precision) -> dict[str, Form]:
    """The network as it runs, and with one choice undone each."""
    of = partial(network_of, name, precision=precision)
    network = of()
    forms = {
        AS_IT_RUNS: Form(network=network),
        "without folded norms": Form(network=of(norms=False)),
        "without folded QuickGELUs": Form(network=of(gelus=False)),
        "without channels last": Form(network=of(memory_format=torch.contiguous_format)),
        "deformable attention by grid_sample": Form(
            network=network, during=partial(patch.object, DeformableAttention, "forward", by_grid_sample)
        ),
        "whole feed-forward layers": Form(
            network=network, during=partial(patch.object, transformer_layers, "CPU_ROWS", 1 << 30)
        ),
    }
    if precision != "fp32":
        forms["weights rounded for every batch"] = Form(network=of(rounded=False))
    return forms


def network_of(  # noqa: PLR0913  one for each choice
    name: str,
    *,
    precision: Precision,
    norms: bool = True,
    gelus: bool = True,
    rounded: bool = True,
    memory_format: torch.memory_format = torch.channels_last,
) -> Network:
    """What `ready` makes of random weights, but for what is said otherwise."""
    torch.manual_seed(0)
    network = build(name).eval()
    if norms:
        fold_norms(network.proposals.backbone)
    if gelus:
        fold_quick_gelus(network)
    if rounded and precision != "fp32":
        round_weights(network, DTYPES[precision])
    return network.to(memory_format=memory_format)  # type: ignore[call-overload, no-any-return]


def in_turns(
    forms: dict[str, Form], frames: Tensor, *, precision: Precision, rounds: int
) -> dict[str, list[float]]:
    """Seconds of each turn of each form; a first turn of each does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(rounds + 1):
        for name, form in forms.items():
            with form.during():
                taken = seconds_of(form.network, frames, precision=precision)
            if turn:
                seconds[name].append(taken)
    return seconds


def seconds_of(network: Network, frames: Tensor, *, precision: Precision) -> float:
    """Seconds of one batch."""
    reduced = precision != "fp32"
    start_s = time.perf_counter()
    with (
        torch.inference_mode(),
        torch.autocast("cpu", dtype=DTYPES[precision] if reduced else None, enabled=reduced),
    ):
        network.predict(frames)
    return time.perf_counter() - start_s


if __name__ == "__main__":
    main()
