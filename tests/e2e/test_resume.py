"""A run that is killed and started again leaves the same bytes as one that was not."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ovvis_cli.benchmarking.workload import drawn_video
from ovvis_cli.video.reader import read_frames
from tests import media
from tests.e2e.conftest import Ovvis, command_environment, command_line

pytestmark = pytest.mark.e2e

NUM_FRAMES = 24
TIMEOUT_S = 240


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "long.mp4"
    return media.write_video(path, media.numbered_images(NUM_FRAMES), media.VideoSpec(audio="aac"))


@pytest.fixture(scope="module")
def uninterrupted(video: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole")
    subprocess.run(
        _arguments(video, weights, output), env=command_environment(), check=True, timeout=TIMEOUT_S
    )
    return output / "long"


def _arguments(video: Path, weights: Path, output: Path, *, batch_size: int = 2) -> list[str]:
    names = ("-c", "dog,cat", "--no-distractors", "--model", weights)
    return command_line("segment", video, *names, "-o", output, "--batch-size", str(batch_size), "--quiet")


def _lines(output: Path) -> int:
    masks = output / "long" / "masks.jsonl"
    return masks.read_bytes().count(b"\n") if masks.exists() else 0


def _run_until(arguments: list[str], *, output: Path, num_lines: int, number: signal.Signals) -> int:
    """Starts the command and sends the signal once so many frames are written; its exit code."""
    with subprocess.Popen(arguments, env=command_environment(), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while process.poll() is None and _lines(output) < num_lines and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        return process.wait(timeout=TIMEOUT_S)


def _assert_same_results(folder: Path, expected: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in expected.iterdir())
    for name in ("record.json", "masks.jsonl", "tokens.safetensors", "ytvis.json"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    pairs = zip(read_frames(folder / "overlay.mp4"), read_frames(expected / "overlay.mp4"), strict=True)
    for found, wanted in pairs:
        assert found.time_s == wanted.time_s
        np.testing.assert_array_equal(found.image, wanted.image)


def test_one_kill(video: Path, weights: Path, uninterrupted: Path, tmp_path: Path) -> None:
    arguments = _arguments(video, weights, tmp_path)
    code = _run_until(arguments, output=tmp_path, num_lines=7, number=signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert 7 <= _lines(tmp_path) < NUM_FRAMES
    again = subprocess.run(
        [*arguments, "--debug"],
        env=command_environment(),
        check=True,
        timeout=TIMEOUT_S,
        capture_output=True,
        text=True,
    )
    assert "resuming at frame" in again.stderr
    _assert_same_results(tmp_path / "long", uninterrupted)


@pytest.mark.slow
@pytest.mark.timeout(5 * TIMEOUT_S)
@pytest.mark.parametrize("seed", range(2))
def test_five_kills(video: Path, weights: Path, uninterrupted: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    arguments = _arguments(video, weights, tmp_path)
    for num_lines in sorted(rng.sample(range(1, NUM_FRAMES), 5)):
        _run_until(arguments, output=tmp_path, num_lines=num_lines, number=signal.SIGKILL)
        time.sleep(rng.uniform(0, 0.05))
    subprocess.run(arguments, env=command_environment(), check=True, timeout=TIMEOUT_S)
    _assert_same_results(tmp_path / "long", uninterrupted)


@pytest.mark.slow
@pytest.mark.timeout(5 * TIMEOUT_S)
def test_a_kill_while_the_overlay_is_made(
    video: Path, weights: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    arguments = _arguments(video, weights, tmp_path)
    with subprocess.Popen(arguments, env=command_environment()) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while process.poll() is None and not (tmp_path / "long" / "record.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    subprocess.run(arguments, env=command_environment(), check=True, timeout=TIMEOUT_S)
    _assert_same_results(tmp_path / "long", uninterrupted)


def test_a_kill_at_the_last_moment_leaves_no_checkpoint(
    ovvis: Ovvis, video: Path, weights: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted, tmp_path / "long")
    (tmp_path / "long" / "checkpoint.safetensors").write_bytes(b"not yet removed")
    assert ovvis(*_arguments(video, weights, tmp_path)[3:]).code == 0
    _assert_same_results(tmp_path / "long", uninterrupted)


def test_ctrl_c_says_how_to_carry_on(
    ovvis: Ovvis, video: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ovvis_cli.inference.engine import Engine

    encode, calls = Engine.encode, []

    def interrupted(self: Engine, *arguments: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "encode", interrupted)
    arguments = _arguments(video, weights, tmp_path)[3:]
    outcome = ovvis(*arguments)
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == "stopped; run the same command to resume"
    assert _lines(tmp_path) == 4


@pytest.fixture(scope="module")
def window_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ovformer-tiny, in windows of 3 frames, as its training starts: it finds drawn objects."""
    from ovvis_cli.training.ovformer import start
    from ovvis_cli.training.recipe import load_recipe
    from ovvis_models.weights import save_weights

    torch.manual_seed(0)
    recipe = load_recipe("ovformer-tiny")
    path = tmp_path_factory.mktemp("weights") / "windows.safetensors"
    save_weights(start(recipe), path, metadata={"model": recipe.model})  # type: ignore[arg-type]
    return path


def test_a_kill_in_the_middle_of_a_window(window_weights: Path, tmp_path: Path) -> None:
    drawn = drawn_video(tmp_path, frame_hw=(96, 160), num_frames=NUM_FRAMES)
    video = drawn.rename(drawn.with_name("long.mp4"))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(
        _arguments(video, window_weights, whole, batch_size=6),
        env=command_environment(),
        check=True,
        timeout=TIMEOUT_S,
    )
    expected = (whole / "long" / "masks.jsonl").read_bytes().splitlines(keepends=True)
    assert any(b'"track"' in line for line in expected)
    arguments = _arguments(video, window_weights, cut, batch_size=6)
    _run_until(arguments, output=cut, num_lines=7, number=signal.SIGKILL)
    masks = cut / "long" / "masks.jsonl"
    done = _lines(cut) // 6 * 6  # batches of two windows
    assert 6 <= done < NUM_FRAMES
    with masks.open("r+b") as file:  # as if killed after two of the three frames of a window
        file.truncate(sum(map(len, expected[:done])))
        file.seek(0, os.SEEK_END)
        file.write(b"".join(expected[done : done + 2]))
    again = subprocess.run(
        [*arguments, "--debug"],
        env=command_environment(),
        check=True,
        timeout=TIMEOUT_S,
        capture_output=True,
        text=True,
    )
    assert "resuming at frame" in again.stderr
    _assert_same_results(cut / "long", whole / "long")
