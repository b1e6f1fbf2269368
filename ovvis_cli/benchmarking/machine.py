"""Properties of this machine: matmul peak, memory, clock."""

import platform
import sys
import time
from collections.abc import Callable
from typing import Final

import torch

from ovvis_cli.inference.device import DTYPES, Precision
from ovvis_cli.inference.profiler import StageName

_MATRIX_SIDE: Final = {"cpu": 2048, "cuda": 8192, "mps": 4096}
_PEAK_TRIALS: Final = 8
_BESIDE_DEVICE: Final[frozenset[StageName]] = frozenset({"decode", "encode", "write", "checkpoint"})


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def stage_clock(device: torch.device) -> Callable[[StageName], float]:
    """Return a clock [s] for stages; it waits for the device after stages that use it."""

    def read(name: StageName) -> float:
        if name not in _BESIDE_DEVICE:
            synchronize(device)
        return time.perf_counter()

    return read


def matmul_peak_flops(device: torch.device, precision: Precision) -> float:
    """Measure the operations per second of the fastest of several products of large square matrices."""
    side = _MATRIX_SIDE[device.type]
    left = torch.randn(side, side, device=device).to(DTYPES[precision])
    right = torch.randn(side, side, device=device).to(DTYPES[precision])
    seconds = []
    for _ in range(_PEAK_TRIALS):
        synchronize(device)
        start_s = time.perf_counter()
        torch.mm(left, right)
        synchronize(device)
        seconds.append(time.perf_counter() - start_s)
    return float(2 * side**3 / min(seconds))


def device_name(device: torch.device) -> str:
    """Return the name of the device for users."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def reset_device_peak(device: torch.device) -> None:
    """Reset the peak that `device_peak_bytes` reports."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def device_peak_bytes(device: torch.device) -> int | None:
    """Return the peak memory of tensors on the device; None without a report or memory of its own."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def host_peak_bytes() -> int | None:
    """Return the peak resident memory of this process so far; None if it is not reported."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts KiB
