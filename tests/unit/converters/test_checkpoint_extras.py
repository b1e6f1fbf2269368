"""What lies beside the weights of a checkpoint is no obstacle, and is never executed."""

import argparse
import os
import pickle
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ovvis_models.converters.checkpoint_files import read_checkpoint, without_common_prefix
from ovvis_models.converters.clip import from_open_clip
from ovvis_models.converters.key_table import KeyRule, to_ours
from ovvis_models.errors import CorruptWeightsError, MismatchedWeightsError

WEIGHTS = {"backbone.weight": torch.arange(6.0).reshape(2, 3), "head.bias": torch.tensor([1.5, -2.0])}
EXTRAS: dict[str, object] = {
    "numpy scalar": np.float64(47.4),
    "numpy array": np.arange(3),
    "array of texts": np.array(["a", "b"]),
    "array of objects": np.array([{"a": 1}, None], dtype=object),
    "random state": np.random.RandomState(0).get_state(),
    "options": argparse.Namespace(lr=1e-4, seed=np.int64(3), output=Path("out")),
    "simple namespace": SimpleNamespace(a=1),
    "path": Path("runs") / "1",
    "default dict": defaultdict(list, {"loss": [1.0]}),
    "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]},
    "bare numbers": {"epoch": 3, "done": True, "name": "r50", "nothing": None, "shape": (1, 2), "set": {1}},
}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor] = WEIGHTS) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name].to(expected[name].dtype), expected[name]) for name in expected)


def save(content: object, path: Path, *, how: str) -> Path:
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    return path


@pytest.mark.parametrize("how", ["zip", "legacy"])
@pytest.mark.parametrize("extra", EXTRAS)
def test_torch_files_with_extras(tmp_path: Path, extra: str, how: str) -> None:
    path = save({"model": WEIGHTS, extra: EXTRAS[extra]}, tmp_path / "x.pth", how=how)
    assert_same(read_checkpoint(path))


@pytest.mark.parametrize("extra", EXTRAS)
def test_pickles_with_extras(tmp_path: Path, extra: str) -> None:
    arrays = {name: tensor.numpy() for name, tensor in WEIGHTS.items()}
    if extra == "optimizer":
        pytest.skip("torch tensors are not in such pickles")
    assert_same(
        read_checkpoint(save({"model": arrays, extra: EXTRAS[extra]}, tmp_path / "x.pkl", how="pickle"))
    )


@pytest.mark.parametrize("module", [b"numpy.core", b"numpy._core"])
def test_scalars_of_both_generations_of_numpy(tmp_path: Path, module: bytes) -> None:
    path = save({"model": WEIGHTS, "best": np.float64(1)}, tmp_path / "x.pth", how="legacy")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"cnumpy._core.multiarray", b"c" + module + b".multiarray"))
    assert module + b".multiarray\nscalar" in path.read_bytes()
    assert_same(read_checkpoint(path))


@pytest.mark.parametrize(
    "nested",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": weights},
        lambda weights: {"state_dict": {"model": weights}, "epoch": 3},
        lambda weights: {"model_state_dict": weights, "optimizer_state_dict": {"lr": 1.0}},
        lambda weights: {"ema": {"module": weights}, "iteration": 7},
        lambda weights: {"model": weights, "ema": {name: 0 * tensor for name, tensor in weights.items()}},
        lambda weights: {**weights, "epoch": 3, "note": "text", "options": argparse.Namespace()},
    ],
)
@pytest.mark.parametrize("how", ["zip", "legacy"])
def test_weights_are_found_in_any_nesting(tmp_path: Path, nested: object, how: str) -> None:
    assert callable(nested)
    assert_same(read_checkpoint(save(nested(WEIGHTS), tmp_path / "x.pth", how=how)))


def test_numpy_arrays_in_torch_files_are_weights(tmp_path: Path) -> None:
    arrays = {name: tensor.numpy() for name, tensor in WEIGHTS.items()}
    assert_same(read_checkpoint(save({"model": arrays}, tmp_path / "x.pth", how="zip")))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_number_types_are_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {name: tensor.to(dtype) for name, tensor in WEIGHTS.items()}
    found = read_checkpoint(save({"model": weights}, tmp_path / "x.pth", how="zip"))
    assert {tensor.dtype for tensor in found.values()} == {dtype}
    assert_same(found)


@pytest.mark.parametrize(
    "prefix", ["module.", "model.", "module.model.", "detector.", "_orig_mod.", "a.b.c."]
)
def test_a_prefix_that_all_names_share_is_taken_off(tmp_path: Path, prefix: str) -> None:
    named = {prefix + name: tensor for name, tensor in WEIGHTS.items()}
    assert_same(read_checkpoint(save({"model": named, "best": np.float64(1)}, tmp_path / "x.pth", how="zip")))
    flat: dict[str, object] = {**named, "best_ap": torch.tensor(1.0)}
    found = read_checkpoint(save(flat, tmp_path / "flat.pth", how="zip"))
    assert found.pop("best_ap").ndim == 0
    assert_same(found)
    save_file(named, tmp_path / "x.safetensors")
    assert_same(read_checkpoint(tmp_path / "x.safetensors"))


def test_names_without_a_common_prefix_stay_as_they_are() -> None:
    for names in (["model.a.x", "class_predictor.x"], ["a", "a.b"], ["weight"], []):
        weights = {name: torch.zeros(1) for name in names}
        assert without_common_prefix(weights).keys() == weights.keys()
    compiled = {"backbone._orig_mod.x": torch.zeros(1), "head.x": torch.zeros(1)}
    assert list(without_common_prefix(compiled)) == ["backbone.x", "head.x"]


def test_single_numbers_beside_weights_have_no_place_and_need_none() -> None:
    rules = [KeyRule(r"(\w+)\.weight", r"theirs.\1.weight")]
    expected = {"a.weight": torch.zeros(2)}
    theirs = {"theirs.a.weight": torch.ones(2), "best_ap": torch.tensor(47.4)}
    assert to_ours(theirs, expected, rules).keys() == {"a.weight"}
    with pytest.raises(MismatchedWeightsError, match="left over: best_ap"):
        to_ours({**theirs, "best_ap": torch.ones(2)}, expected, rules)
    assert from_open_clip({**expected, "vocab_size": torch.tensor(9)}, expected).keys() == expected.keys()


class CallsOnLoad:
    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.arguments


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_code_beside_the_weights_is_refused_in_our_own_words(tmp_path: Path, how: str) -> None:
    marker = tmp_path / "was-here"
    weights = {"a": np.zeros(2)} if how == "pickle" else WEIGHTS
    content = {"model": weights, "extra": CallsOnLoad(os.mkdir, str(marker))}
    with pytest.raises(CorruptWeightsError) as caught:
        read_checkpoint(save(content, tmp_path / "x.pth", how=how))
    assert not marker.exists()
    assert "asks for posix.mkdir, which weights do not need; nothing of it was run" in str(caught.value)
    assert "torch.load" not in str(caught.value)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_no_escape_code_of_a_file_reaches_the_terminal(tmp_path: Path, how: str) -> None:
    path = save({"model": {"a": np.zeros(2)}, "x": CallsOnLoad(len, "")}, tmp_path / "x.pth", how="pickle")
    name = b"\x1b[31mred\x1b]0;title\x07"
    if how == "pickle":
        path.write_bytes(b"\x80\x02c" + name + b"\nevil\n)R.")
    else:
        torch.save({name.decode(): torch.zeros(2)}, path, _use_new_zipfile_serialization=how == "zip")
        tensors = read_checkpoint(path)
        with pytest.raises(MismatchedWeightsError, match=r"left over: \\x1b\[31mred") as mismatch:
            to_ours(tensors, {}, [])
        assert mismatch.value.message.isprintable()
        return
    with pytest.raises(CorruptWeightsError, match=r"\\x1b\[31mred") as caught:
        read_checkpoint(path)
    assert str(caught.value).isprintable()
    assert caught.value.args[0].isprintable()
