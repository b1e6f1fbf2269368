"""Tensors of a checkpoint that never change: written once, removed when they leave, read back exactly."""

from pathlib import Path

import pytest
import torch

from ovvis_cli.record.fixed_tensors import FixedTensors
from ovvis_cli.record.schema import FIXED_NAME
from ovvis_cli.record.writer import RecordWriter


def memory(*numbers: int) -> dict[str, torch.Tensor]:
    """The entries of some windows; each depends on its number alone."""
    return {f"tracker.window.{number}": torch.full((2, 3), float(number)) for number in numbers}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / FIXED_NAME).iterdir())


def opened(folder: Path, *, fingerprint: str = "a") -> RecordWriter:
    return RecordWriter(folder, fingerprint=fingerprint)


def test_a_tensor_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    from ovvis_cli.record import fixed_tensors

    real = fixed_tensors.write_bytes_atomic
    monkeypatch.setattr(
        fixed_tensors, "write_bytes_atomic", lambda path, data: (written.append(path.name), real(path, data))
    )
    with opened(tmp_path) as writer:
        writer.resume()
        for last in range(1, 5):
            writer.checkpoint({"n": torch.tensor(last)}, last, fixed=memory(*range(last)))
    assert written == [f"tracker.window.{number}.safetensors" for number in range(4)]


def test_a_later_run_gets_what_the_checkpoint_names_and_leaves_no_files_of_others(tmp_path: Path) -> None:
    with opened(tmp_path) as writer:
        writer.resume()
        writer.checkpoint({"n": torch.tensor(1)}, 1, fixed=memory(0, 1, 2))
        writer.checkpoint({"n": torch.tensor(2)}, 2, fixed=memory(0, 2, 3))
    assert files(tmp_path) == [f"tracker.window.{number}.safetensors" for number in (0, 2, 3)]
    with opened(tmp_path) as writer:
        point = writer.resume()
        assert point is not None
        assert point.next_frame == 2
        assert {name for name in point.state if name != "n"} == set(memory(0, 2, 3))
        assert torch.equal(point.state["tracker.window.3"], memory(3)["tracker.window.3"])
        writer.checkpoint({"n": torch.tensor(3)}, 3, fixed=memory(0, 3, 4))
    assert files(tmp_path) == [f"tracker.window.{number}.safetensors" for number in (0, 3, 4)]


def test_a_missing_or_damaged_tensor_starts_the_run_again(tmp_path: Path) -> None:
    for damage in ("missing", "damaged"):
        folder = tmp_path / damage
        with opened(folder) as writer:
            writer.resume()
            writer.checkpoint({}, 1, fixed=memory(0))
        path = folder / FIXED_NAME / "tracker.window.0.safetensors"
        path.unlink() if damage == "missing" else path.write_bytes(b"no tensor")
        with opened(folder) as writer:
            assert writer.resume() is None
            assert "cannot be read" in str(writer.restart_reason)
        assert not (folder / FIXED_NAME).exists()


def test_another_run_does_not_read_them(tmp_path: Path) -> None:
    with opened(tmp_path) as writer:
        writer.resume()
        writer.checkpoint({}, 1, fixed=memory(0))
    with opened(tmp_path, fingerprint="b") as writer:
        assert writer.resume() is None
        assert "settings changed" in str(writer.restart_reason)
    assert not (tmp_path / FIXED_NAME).exists()


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not the name of a tensor"):
        FixedTensors(tmp_path).read(["../x"])


def test_without_such_tensors_there_is_no_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as writer:
        writer.resume()
        writer.checkpoint({"n": torch.tensor(1)}, 1)
    assert not (tmp_path / FIXED_NAME).exists()
