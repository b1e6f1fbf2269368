"""A stopped run goes on at its last checkpoint and ends with the very files of an uninterrupted one."""

import random

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ovvis_cli.errors import RecordError, ResourceError
from ovvis_cli.record.identity import fingerprint
from ovvis_cli.record.writer import RecordWriter
from tests.records import MODEL, NUM_FRAMES, SETTINGS, finalise, frame_line, source_info, write_record


@pytest.fixture
def info(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not really")
    return source_info(path)


@pytest.fixture
def key(info):
    return fingerprint(source=info, model=MODEL, settings=SETTINGS)


def state_before(frame_index):
    """A tracker state that depends on every frame before, so that a wrong resume shows."""
    return {
        "hidden": torch.arange(6, dtype=torch.float32).reshape(2, 3) * frame_index,
        "next_track_id": np.int64(frame_index),
    }


def run(folder, *, key, info, stop_after=None, every=3):
    """Appends all frames with checkpoints; stops after `stop_after` frames of this run as if killed."""
    with RecordWriter(folder, fingerprint=key) as writer:
        return go_on(writer, info=info, stop_after=stop_after, every=every)


def go_on(writer, *, info, stop_after, every):
    point = writer.resume()
    first = 0 if point is None else point.next_frame
    if point is not None:
        torch.testing.assert_close(point.state["hidden"], state_before(first)["hidden"])
        assert int(point.state["next_track_id"]) == first
    for number, frame_index in enumerate(range(first, NUM_FRAMES)):
        if number == stop_after:
            return None  # not finalised
        writer.append(frame_line(frame_index))
        if (frame_index + 1) % every == 0:
            writer.checkpoint(state_before(frame_index + 1), next_frame=frame_index + 1)
    return finalise(writer, info=info)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_random_moments_gives_the_same_files(tmp_path, key, info, seed):
    expected = contents(run(tmp_path / "whole", key=key, info=info).folder)
    assert sorted(expected) == ["masks.jsonl", "record.json", "tokens.safetensors"]
    rng = random.Random(seed)
    folder = tmp_path / "killed"
    for _ in range(rng.randint(1, 4)):
        if run(folder, key=key, info=info, stop_after=rng.randint(0, 5)) is not None:
            break
        masks = folder / "masks.jsonl"
        with masks.open("ab") as file:  # the line that was being written
            file.write(b'{"frame":99,"time":3.3,"instances":[{"tra'[: rng.randint(0, 41)])
    else:
        run(folder, key=key, info=info)
    assert contents(folder) == expected


def test_resume_goes_on_behind_the_checkpoint(tmp_path, key, info):
    run(tmp_path / "out", key=key, info=info, stop_after=5)
    with RecordWriter(tmp_path / "out", fingerprint=key) as writer:
        point = writer.resume()
    assert point is not None
    assert point.next_frame == 3
    assert writer.restart_reason is None
    assert (tmp_path / "out" / "masks.jsonl").read_text().count("\n") == 3


def test_tensor_types_survive(tmp_path, key):
    state = {"a": torch.ones(2, dtype=torch.bfloat16), "b": torch.zeros(0, 4), "c": torch.tensor(3)}
    with RecordWriter(tmp_path, fingerprint=key) as writer:
        writer.resume()
        writer.checkpoint(state, next_frame=0)
    with RecordWriter(tmp_path, fingerprint=key) as writer:
        point = writer.resume()
    assert point is not None
    assert {name: (value.dtype, value.shape) for name, value in point.state.items()} == {
        name: (value.dtype, value.shape) for name, value in state.items()
    }


def test_stateless_tracker(tmp_path, key):
    with RecordWriter(tmp_path, fingerprint=key) as writer:
        writer.resume()
        writer.checkpoint({}, next_frame=0)
    with RecordWriter(tmp_path, fingerprint=key) as writer:
        assert writer.resume() == (0, {})


def damage_key(folder):
    return "another run"


def damage_checkpoint(folder):
    (folder / "checkpoint.safetensors").write_bytes(b"x" * 20)


def damage_masks(folder):
    (folder / "masks.jsonl").write_bytes(b"")


def damage_both(folder):
    (folder / "checkpoint.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_key, "the video, the model or the settings changed"),
        (damage_checkpoint, "checkpoint.safetensors cannot be read"),
        (damage_masks, "masks.jsonl is shorter"),
        (damage_both, "before its first checkpoint"),
    ],
)
def test_starts_again_and_says_why(tmp_path, key, info, caplog, damage, reason):
    folder = tmp_path / "out"
    run(folder, key=key, info=info, stop_after=5)
    with RecordWriter(folder, fingerprint=damage(folder) or key) as writer:
        assert writer.resume() is None
    assert writer.restart_reason is not None
    assert reason in writer.restart_reason
    assert reason in caplog.text
    assert [path.name for path in folder.iterdir()] == ["masks.jsonl"]
    assert (folder / "masks.jsonl").stat().st_size == 0


def test_first_run_has_nothing_to_explain(tmp_path, key, caplog):
    with RecordWriter(tmp_path / "new", fingerprint=key) as writer:
        assert writer.resume() is None
    assert writer.restart_reason is None
    assert not caplog.records


def test_finished_record_is_not_overwritten_unasked(tmp_path, key, info):
    record = write_record(tmp_path / "out", source=tmp_path / "clip.mp4")
    before = contents(record.folder)
    with pytest.raises(RecordError, match="--overwrite"):
        RecordWriter(record.folder, fingerprint=key).resume()
    assert contents(record.folder) == before


def test_overwrite_that_is_killed_goes_on(tmp_path, key, info):
    record = write_record(tmp_path / "out", source=tmp_path / "clip.mp4")
    with RecordWriter(record.folder, fingerprint=key, overwrite=True) as writer:
        assert writer.resume() is None
        assert not (record.folder / "record.json").exists()
        writer.append(frame_line(0))
        writer.checkpoint(state_before(1), next_frame=1)
    with RecordWriter(record.folder, fingerprint=key, overwrite=True) as writer:
        again = writer.resume()
    assert again is not None
    assert again.next_frame == 1


def test_checkpoint_counts_only_flushed_lines(tmp_path, key):
    with RecordWriter(tmp_path, fingerprint=key) as writer:
        writer.resume()
        writer.append(frame_line(0))
        writer.checkpoint(state_before(1), next_frame=1)
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        note = file.metadata()["ovvis"]
    assert f'"masks_bytes": {(tmp_path / "masks.jsonl").stat().st_size}' in note


def test_one_process_writes_a_record(tmp_path, key):
    with RecordWriter(tmp_path, fingerprint=key) as first:
        first.resume()
        with (
            RecordWriter(tmp_path, fingerprint=key) as second,
            pytest.raises(ResourceError, match="another ovvis"),
        ):
            second.resume()
        assert (tmp_path / "masks.jsonl").exists()
    with RecordWriter(tmp_path, fingerprint=key) as third:
        third.resume()


def test_appending_needs_resume_first(tmp_path, key):
    with pytest.raises(RuntimeError, match="resume"):
        RecordWriter(tmp_path, fingerprint=key).append(frame_line(0))
