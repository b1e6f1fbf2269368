"""Checkpoints of a training stage: weights, averaged weights and optimizer state in one safetensors file."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ovvis_cli.errors import WeightsError


def save_checkpoint(
    path: Path, *, step: int, model: nn.Module, average: nn.Module, optimizer: Optimizer
) -> None:
    """Write the state of a stage after `step` steps atomically."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    tensors |= {
        f"optimizer.{index}.{key}": value
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    # copies, because safetensors rejects tensors that share memory or are in channels-last order
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    save_file(copies, unfinished, {"step": str(step)})
    unfinished.replace(path)


def load_checkpoint(path: Path, *, model: nn.Module, average: nn.Module, optimizer: Optimizer) -> int:
    """Restore the state from `save_checkpoint` and return its step.

    Raises:
        WeightsError: the file is damaged or belongs to another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            step = int(file.metadata()["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model.load_state_dict(_under(tensors, "model."))
        average.load_state_dict(_under(tensors, "average."))
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: not a checkpoint of this stage", hint="delete it to train the stage from the start"
        ) from error
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _under(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = _ordered_like(parameters[int(index)], value)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def _ordered_like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return the value in the memory order of its parameter, as the fused optimizer requires."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value


def load_average(path: Path, module: nn.Module) -> None:
    """Load the averaged weights of a finished stage into `module`."""
    if not path.is_file():
        raise WeightsError(
            f"the checkpoint {path} does not exist", hint="train the stage that writes it first"
        )
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("average.module.")]  # noqa: SIM118
        module.load_state_dict(
            {name.removeprefix("average.module."): file.get_tensor(name) for name in names}
        )


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a dictionary of tensors atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    save_file(
        {name: torch.as_tensor(value).contiguous() for name, value in tensors.items()}, unfinished, metadata
    )
    unfinished.replace(path)
