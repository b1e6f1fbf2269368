import pytest
import torch
from torch import nn

from ovvis_models.errors import CorruptWeightsError, MismatchedWeightsError, MissingWeightsError, WeightsError
from ovvis_models.weights import load_weights, read_metadata, save_weights, weights_hash


def network(width=3):
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


def test_round_trip_in_half_precision(tmp_path):
    path = tmp_path / "deep" / "a.safetensors"
    written, read = network(), network()
    save_weights(written, path, metadata={"model": "some"})
    load_weights(read, path, sha256=weights_hash(path))
    assert read_metadata(path) == {"model": "some"}
    assert [p.name for p in path.parent.iterdir()] == ["a.safetensors"]
    for name, value in read.state_dict().items():
        expected = written.state_dict()[name]
        assert value.dtype == expected.dtype
        assert torch.equal(value, expected.half().float() if expected.is_floating_point() else expected)


def test_single_precision_is_exact(tmp_path):
    written, read = network(), network()
    save_weights(written, tmp_path / "a.safetensors", metadata={}, dtype=torch.float32)
    load_weights(read, tmp_path / "a.safetensors")
    assert all(torch.equal(value, read.state_dict()[name]) for name, value in written.state_dict().items())


def test_tensors_that_share_memory_are_written(tmp_path):
    tied = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    tied["b"].weight = tied["a"].weight
    save_weights(tied, tmp_path / "a.safetensors", metadata={}, dtype=torch.float32)
    apart = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    load_weights(apart, tmp_path / "a.safetensors")
    assert torch.equal(apart["a"].weight, tied["a"].weight)
    assert torch.equal(apart["b"].weight, tied["a"].weight)


def test_values_out_of_range_are_refused(tmp_path):
    module = network()
    with torch.no_grad():
        module[0].weight[0, 0] = 1e6
    with pytest.raises(ValueError, match=r"0\.weight"):
        save_weights(module, tmp_path / "a.safetensors", metadata={})


def test_missing_file(tmp_path):
    with pytest.raises(MissingWeightsError, match="does not exist"):
        load_weights(network(), tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError):
        weights_hash(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not a weights file at all", b"\xff" * 16])
def test_corrupt_file(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(CorruptWeightsError, match=r"a\.safetensors"):
        load_weights(network(), path)
    with pytest.raises(WeightsError):
        read_metadata(path)


def test_truncated_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(network(), path, metadata={})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CorruptWeightsError):
        load_weights(network(), path)


def test_wrong_checksum(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(network(), path, metadata={})
    with pytest.raises(CorruptWeightsError, match="expected 000000000000"):
        load_weights(network(), path, sha256="0" * 64)


def test_mismatch_report_counts_and_names(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(nn.ModuleDict({"other": nn.Linear(1, 1), "0": nn.Linear(2, 3)}), path, metadata={})
    module = network(4)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(MismatchedWeightsError) as caught:
        load_weights(module, path)
    message = str(caught.value)
    assert "5 missing (1.bias, 1.num_batches_tracked, 1.running_mean, 1.running_var, 1.weight)" in message
    assert "2 unexpected (other.bias, other.weight)" in message
    assert "2 of another shape (0.bias 3 instead of 4, 0.weight 3x2 instead of 4x2)" in message
    assert "\n" not in message
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_mismatch_report_stays_short(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(nn.Linear(1, 1), path, metadata={})
    with pytest.raises(MismatchedWeightsError, match=r"40 missing \((\S+, ){5}\.\.\.\)"):
        load_weights(nn.Sequential(*(nn.Linear(1, 1) for _ in range(20))), path)
