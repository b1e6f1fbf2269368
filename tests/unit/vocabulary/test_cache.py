import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ovvis_cli.vocabulary.cache import TextCache, hash_weights


class Encoder:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, names):
        self.calls += 1
        generator = torch.Generator().manual_seed(len(names))
        return torch.nn.functional.normalize(torch.randn(len(names), 5, generator=generator), dim=-1)


def load(cache, encode, names=("dog", "cat"), *, templates=("a {}",), weights_hash="w"):
    return cache.load_or_encode(names, templates=templates, weights_hash=weights_hash, encode=encode)


@pytest.fixture
def cache(tmp_path: Path) -> TextCache:
    return TextCache(tmp_path / "deep" / "text")


def files(cache: TextCache) -> list[Path]:
    return sorted(cache.folder.iterdir())


def test_second_time_comes_from_disk(cache: TextCache) -> None:
    encode = Encoder()
    first = load(cache, encode)
    second = load(TextCache(cache.folder), encode)
    assert encode.calls == 1
    assert torch.equal(first, second)
    assert [file.suffix for file in files(cache)] == [".safetensors"]


@pytest.mark.parametrize(
    "change",
    [
        {"names": ("cat", "dog")},
        {"names": ("dog", "cow")},
        {"templates": ("the {}",)},
        {"templates": ("a {}", "the {}")},
        {"weights_hash": "v"},
    ],
)
def test_whatever_matters_is_in_the_key(cache: TextCache, change: dict) -> None:
    encode = Encoder()
    load(cache, encode)
    load(cache, encode, **change)
    assert encode.calls == 2
    assert len(files(cache)) == 2


@pytest.mark.parametrize(
    "damage", ["truncated", "garbage", "empty", "not unit", "nan", "rows", "missing", "type"]
)
def test_damaged_file_is_ignored_told_and_rewritten(cache: TextCache, damage: str, caplog) -> None:
    expected = load(cache, Encoder())
    (path,) = files(cache)
    whole = path.read_bytes()
    tensors = {
        "not unit": {"class_embeds": torch.ones(2, 5)},
        "nan": {"class_embeds": torch.full((2, 5), torch.nan)},
        "rows": {"class_embeds": expected[:1].clone()},
        "missing": {"other": expected},
        "type": {"class_embeds": expected.double()},
    }
    if damage in tensors:
        save_file(tensors[damage], path)
    else:
        path.write_bytes({"truncated": whole[:-4], "garbage": b"x" * 100, "empty": b""}[damage])
    encode = Encoder()
    with caplog.at_level(logging.WARNING):
        assert torch.equal(load(cache, encode), expected)
    assert encode.calls == 1
    assert "ignoring the" in caplog.text
    assert path.read_bytes() == whole
    load(cache, encode)
    assert encode.calls == 1


def test_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, caplog) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    encode = Encoder()
    with caplog.at_level(logging.WARNING):
        embeds = load(TextCache(blocked / "text"), encode)
    assert embeds.shape == (2, 5)
    assert "not cached" in caplog.text


def test_failed_encoding_leaves_nothing(cache: TextCache) -> None:
    def fail(_):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        load(cache, fail)
    assert not cache.folder.exists()


def test_old_files_are_forgotten(cache: TextCache, monkeypatch) -> None:
    monkeypatch.setattr("ovvis_cli.vocabulary.cache._MAX_FILES", 3)
    for number in range(6):
        load(cache, Encoder(), names=(f"name {number}",))
    assert len(files(cache)) == 3


def test_default_folder_is_the_users_cache(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    assert TextCache().folder == tmp_path / "cache" / "text"


def test_weights_hash_sees_values_names_and_types() -> None:
    layer = nn.Linear(2, 2)
    same, changed, renamed = nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(layer)
    same.load_state_dict(layer.state_dict())
    changed.load_state_dict(layer.state_dict())
    with torch.no_grad():
        changed.bias[0] += 1e-7 + changed.bias[0].abs()
    hashes = [hash_weights(module) for module in (layer, changed, renamed)]
    assert hash_weights(same) == hashes[0]
    assert len({*hashes, hash_weights(same.to(torch.bfloat16))}) == 4
