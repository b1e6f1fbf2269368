"""Resolution of `--device` and `--precision` on this machine."""

from typing import Final, Literal

import torch

from ovvis_cli.choices import DEVICE_NAMES, PRECISION_NAMES
from ovvis_cli.errors import ResourceError, UsageError

Precision = Literal["fp32", "bf16", "fp16"]

DTYPES: Final[dict[Precision, torch.dtype]] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def resolve_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is the first GPU, else the CPU.

    Raises:
        UsageError: the name is unknown.
        ResourceError: this machine has no such device, or torch cannot use it.
    """
    if name not in DEVICE_NAMES:
        raise UsageError(f"unknown device '{name}'", hint=f"choose from {', '.join(DEVICE_NAMES)}")
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    if (name == "cuda" and not has_cuda) or (name == "mps" and not has_mps):
        raise ResourceError(
            f"--device {name}: torch does not find this device",
            hint="use --device auto, or install the torch build for it; see `ovvis doctor`",
        )
    return torch.device(name)


def resolve_precision(name: str, device: torch.device) -> Precision:
    """Return the precision of a name; "auto" is bf16 if it is faster than fp32 on the device, else fp32.

    Raises:
        UsageError: the name is unknown, or the device does not support this precision.
    """
    match name:
        case "auto":
            return "bf16" if _gains_from_bf16(device) else "fp32"
        case "fp16" if device.type == "cpu":
            raise UsageError("--precision fp16 needs a GPU", hint="use --precision auto")
        case "fp32" | "bf16" | "fp16":
            return name
        case _:
            raise UsageError(f"unknown precision '{name}'", hint=f"choose from {', '.join(PRECISION_NAMES)}")


def _gains_from_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":  # without these instructions bf16 is 4 to 5 times slower than fp32
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False
