"""GenVIS through the real command: names after association, and a memory that survives a kill."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from ovvis_cli.record.schema import FIXED_NAME
from ovvis_models.catalog import find_spec
from ovvis_models.weights import save_weights
from tests import media
from tests.e2e.conftest import Ovvis, command_environment, command_line

pytestmark = pytest.mark.e2e

NUM_FRAMES = 14
MEMORY_WINDOWS = 4
TIMEOUT_S = 240


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of genvis-tiny that see something everywhere."""
    torch.manual_seed(0)
    network = find_spec("genvis-tiny").build().eval()
    with torch.no_grad():
        network.window_decoder.object_head.linear.bias.copy_(torch.tensor([2.0, 0.0]))
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(network, path, metadata={"model": "genvis-tiny"})
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "long.mp4"
    return media.write_video(path, media.numbered_images(NUM_FRAMES), media.VideoSpec())


def _options(weights: Path, output: Path) -> tuple[str | Path, ...]:
    settings = ("--no-distractors", "--save", "ytvis", "--batch-size", "1", "--short-side", "64", "--quiet")
    return (
        "-c",
        "dog,cat",
        "--model",
        weights,
        "--memory-windows",
        str(MEMORY_WINDOWS),
        *settings,
        "-o",
        output,
    )


@pytest.mark.timeout(900)  # three runs of the command
def test_a_killed_run_goes_on_with_its_memory_and_leaves_the_same_bytes(
    video: Path, weights: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    environment = command_environment()
    subprocess.run(
        command_line("segment", video, *_options(weights, whole)),
        env=environment,
        check=True,
        timeout=TIMEOUT_S,
    )
    arguments = command_line("segment", video, *_options(weights, killed))
    masks, fixed = killed / "long" / "masks.jsonl", killed / "long" / FIXED_NAME
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            if masks.exists() and masks.read_bytes().count(b"\n") >= 2 * MEMORY_WINDOWS:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=TIMEOUT_S) == -signal.SIGKILL
    assert MEMORY_WINDOWS <= len([*fixed.glob("*.safetensors")]) <= MEMORY_WINDOWS + 2
    subprocess.run(arguments, env=environment, check=True, timeout=TIMEOUT_S)
    assert not fixed.exists()
    names = sorted(path.name for path in (whole / "long").iterdir())
    assert names == sorted(path.name for path in (killed / "long").iterdir())
    for name in ("masks.jsonl", "tokens.safetensors", "ytvis.json", "record.json"):
        assert (whole / "long" / name).read_bytes() == (killed / "long" / name).read_bytes(), name


def test_masks_are_named_with_any_words_and_again_with_others(
    ovvis: Ovvis, video: Path, weights: Path, tmp_path: Path
) -> None:
    outcome = ovvis("segment", video, *_options(weights, tmp_path), "--json")
    assert outcome.code == 0, outcome.err
    (found,) = outcome.json["inputs"]
    assert {track["label"] for track in found["tracks"]} <= {"dog", "cat"}
    assert found["tracks"]
    masks = (tmp_path / "long" / "masks.jsonl").read_bytes()
    shutil.rmtree(tmp_path / "long" / FIXED_NAME, ignore_errors=True)
    again = ovvis(
        "relabel", tmp_path / "long", "-c", "bird,boat", "--no-distractors", "--model", weights, "--json"
    )
    assert again.code == 0, again.err
    assert {track["label"] for track in again.json["tracks"]} <= {"bird", "boat"}
    assert again.json["tracks"]
    assert (tmp_path / "long" / "masks.jsonl").read_bytes() == masks


def test_a_tracker_of_other_models_is_refused_in_one_line(
    ovvis: Ovvis, video: Path, weights: Path, tmp_path: Path
) -> None:
    outcome = ovvis("segment", video, *_options(weights, tmp_path), "--tracker", "adjacent")
    assert outcome.code == 2
    assert outcome.errors == ["error: genvis-tiny does not support --tracker adjacent (choose propagation)"]
