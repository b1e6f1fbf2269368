"""Checkpoint files of every kind are read; none of them gets to run code."""

import io
import os
import pickle
import pickletools
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovvis_models.converters.checkpoint_files import read_checkpoint
from ovvis_models.errors import CorruptWeightsError, MissingWeightsError

ARRAYS = {
    "backbone.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "half": np.array([[0.5, -2.0]], dtype=np.float16),
    "fortran": np.asfortranarray(np.arange(12, dtype=np.float64).reshape(3, 4)),
    "big_endian": np.arange(5, dtype=">i4"),
    "scalar": np.array(7, dtype=np.int64),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "number": np.float32(1.5),
}


def assert_holds_arrays(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name].numpy(), np.asarray(array))
        assert found[name].numpy().dtype.kind == np.asarray(array).dtype.kind
        found[name].zero_()  # it may be written


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickles_of_arrays(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model_final.pkl"
    content = {"model": ARRAYS, "__author__": "somebody", "matching_heuristics": True}
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    if protocol < 2:  # text protocols have no start by which to know them, and nobody publishes such files
        with pytest.raises(CorruptWeightsError, match="is not a safetensors file"):
            read_checkpoint(path)
        return
    assert_holds_arrays(read_checkpoint(path))


def test_pickles_of_older_numpy(tmp_path: Path) -> None:
    path = tmp_path / "model_final.pkl"
    old = pickle.dumps(ARRAYS, protocol=2).replace(b"cnumpy._core.", b"cnumpy.core.")
    assert b"numpy.core.multiarray" in old
    path.write_bytes(old)
    assert_holds_arrays(read_checkpoint(path))


@pytest.mark.parametrize("new_format", [True, False])
def test_torch_files_with_other_entries(tmp_path: Path, new_format: bool) -> None:
    path = tmp_path / "minvis_ytvis19_R50.pth"
    weights = {"a": torch.randn(3, 4), "b": torch.tensor(3)}
    content = {"model": weights, "iteration": 5999, "optimizer": {"state": {0: {"step": 1}}, "lr": 1e-4}}
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    found = read_checkpoint(path)
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_bare_state_dicts_and_safetensors(tmp_path: Path) -> None:
    weights = {"a": torch.randn(3, 4)}
    torch.save(weights, tmp_path / "bare.pth")
    save_file(weights, tmp_path / "model.safetensors")
    for name in ("bare.pth", "model.safetensors"):
        assert torch.equal(read_checkpoint(tmp_path / name)["a"], weights["a"])


class Malicious:
    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.arguments


def evil(name: str, marker: Path) -> bytes:
    """Return a pickle that would make `marker`, or reach for what could."""
    if name == "hidden in an array":
        array = np.empty(1, dtype=object)
        array[0] = Malicious(os.mkdir, str(marker))
        return pickle.dumps({"model": {"weight": array}})
    if name == "dotted name":  # protocol 4 looks up attributes of what it finds
        return b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.tofile\x93."
    if name == "extension registry":
        return b"\x80\x02\x82\x01."
    if name == "persistent id":
        return b"\x80\x02X\x01\x00\x00\x00aQ."
    if name == "builtins.getattr":
        return b"\x80\x02cbuiltins\ngetattr\n(cos\nsystem\nX\x01\x00\x00\x00atR."
    functions = {
        "os.mkdir": (os.mkdir, str(marker)),
        "builtins.eval": (eval, f"__import__('os').mkdir({str(marker)!r})"),
        "numpy.load": (np.load, "x.npy"),
        "torch.load": (torch.load, str(marker)),
    }
    return pickle.dumps({"model": {"weight": Malicious(*functions[name])}})


@pytest.mark.parametrize(
    "name",
    [
        "os.mkdir",
        "builtins.eval",
        "builtins.getattr",
        "numpy.load",
        "torch.load",
        "hidden in an array",
        "dotted name",
        "extension registry",
        "persistent id",
    ],
)
def test_a_malicious_pickle_is_refused(tmp_path: Path, name: str) -> None:
    marker, path = tmp_path / "was-here", tmp_path / "model.pkl"
    path.write_bytes(evil(name, marker))
    with pytest.raises(CorruptWeightsError):
        read_checkpoint(path)
    assert not marker.exists()


def test_the_evil_is_evil(tmp_path: Path) -> None:
    marker = tmp_path / "was-here"
    pickle.loads(evil("os.mkdir", marker))  # else the test above proves nothing
    assert marker.is_dir()


@pytest.mark.parametrize("new_format", [True, False])
def test_a_malicious_torch_file_is_refused(tmp_path: Path, new_format: bool) -> None:
    marker, path = tmp_path / "was-here", tmp_path / "model.pth"
    content = {"model": {"weight": Malicious(os.mkdir, str(marker))}}
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(CorruptWeightsError, match="nothing of it was run"):
        read_checkpoint(path)
    assert not marker.exists()


def test_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("clip/constants.pkl", b"")
    with pytest.raises(CorruptWeightsError, match="TorchScript archive"):
        read_checkpoint(path)


@pytest.mark.parametrize("suffix", ["pkl", "pth", "safetensors"])
def test_files_cut_short_are_refused_at_any_length(tmp_path: Path, suffix: str) -> None:
    buffer, weights = io.BytesIO(), {"a": torch.arange(40.0)}
    if suffix == "pkl":
        pickle.dump({"model": {"a": np.arange(40.0)}}, buffer)
    elif suffix == "pth":
        torch.save(weights, buffer)
    else:
        save_file(weights, tmp_path / "whole")
        buffer.write((tmp_path / "whole").read_bytes())
    whole, path = buffer.getvalue(), tmp_path / f"cut.{suffix}"
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptWeightsError):
            read_checkpoint(path)


def test_damaged_pickles_never_do_anything_else(tmp_path: Path) -> None:
    whole = bytearray(pickle.dumps({"model": {"a": np.arange(6.0)}}, protocol=2))
    generator = np.random.default_rng(0)
    path = tmp_path / "damaged.pkl"
    for _ in range(300):
        damaged = bytearray(whole)
        for place in generator.integers(2, len(whole), 3):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except CorruptWeightsError:
            continue


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds one list"),
        ({"model": {}}, "empty"),
        ({"model": {"a": "text"}}, "a is not a tensor"),
        ({"a": 3}, "a is not a tensor"),
    ],
)
def test_files_without_weights_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(CorruptWeightsError, match=message):
        read_checkpoint(path)


def test_a_lying_array_is_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "x.pkl", pickle.dumps({"a": np.arange(6, dtype=np.int64)}, protocol=2)
    at = next(place for op, arg, place in pickletools.genops(data) if op.name == "BININT1" and arg == 6)
    path.write_bytes(data[: at + 1] + b"\x09" + data[at + 2 :])  # nine numbers, says the shape
    with pytest.raises(CorruptWeightsError, match="bytes for an array"):
        read_checkpoint(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError):
        read_checkpoint(tmp_path / "none.pkl")
    (tmp_path / "text.pkl").write_text("<html>")
    with pytest.raises(CorruptWeightsError, match="is not a safetensors file"):
        read_checkpoint(tmp_path / "text.pkl")
