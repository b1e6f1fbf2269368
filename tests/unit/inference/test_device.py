import pytest
import torch

from ovvis_cli.errors import ResourceError, UsageError
from ovvis_cli.inference.device import DTYPES, resolve_device, resolve_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def cpu_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("cpu_only")
def test_auto_without_a_gpu():
    assert resolve_device("auto") == CPU
    assert resolve_device("cpu") == CPU


def test_auto_prefers_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == CUDA


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_missing_devices_are_named(name):
    with pytest.raises(ResourceError, match=f"--device {name}"):
        resolve_device(name)


def test_unknown_names():
    with pytest.raises(UsageError, match="unknown device 'tpu'.*auto, cpu, cuda, mps"):
        resolve_device("tpu")
    with pytest.raises(UsageError, match="unknown precision 'int8'.*auto, fp32, bf16, fp16"):
        resolve_precision("int8", CPU)


@pytest.mark.parametrize(
    ("avx512", "amx", "expected"), [(False, False, "fp32"), (True, False, "bf16"), (False, True, "bf16")]
)
def test_auto_takes_bf16_on_a_cpu_only_with_instructions_for_it(monkeypatch, avx512, amx, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("bf16", CPU) == "bf16"  # asked for, so given


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_on_cuda(monkeypatch, supported, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    assert resolve_precision("auto", CUDA) == expected


def test_half_precision_needs_a_gpu():
    assert resolve_precision("fp16", CUDA) == "fp16"
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        resolve_precision("fp16", CPU)


def test_this_torch_answers():
    assert resolve_precision("auto", CPU) in DTYPES
