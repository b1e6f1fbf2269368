"""Real Ray workers on this machine, killed on the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.ray_soak import Kills, differences, draw_clips, segment
from tests.e2e.conftest import command_environment, command_line

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

NUM_CLIPS, NUM_BROKEN = 6, 2
RAY = ["--ray", "local", "--workers", "2"]


@pytest.fixture(scope="module", autouse=True)
def environment() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("finds the workers in /proc")
    pytest.importorskip("ray")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ray") / "clips"
    return draw_clips(folder, num_whole=NUM_CLIPS, num_broken=NUM_BROKEN)


@pytest.fixture(scope="module")
def plain(clips: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("plain")
    segment(clips, output, model=str(weights), arguments=[], kills=Kills())
    return output


def test_killed_workers_and_a_killed_driver_change_nothing(
    clips: Path, plain: Path, weights: Path, tmp_path: Path
) -> None:
    kills = Kills(workers=[1, 3], drivers=[2])
    segment(clips, tmp_path, model=str(weights), arguments=RAY, kills=kills)
    assert kills == Kills()  # all of them took place
    assert differences(tmp_path, plain, num_broken=NUM_BROKEN) == []


def test_ctrl_c_leaves_what_the_same_command_finishes(
    clips: Path, plain: Path, weights: Path, tmp_path: Path
) -> None:
    same = ("segment", clips, "-c", "dog,cat,car", "--model", weights, "-o", tmp_path, *RAY)
    with subprocess.Popen(command_line(*same), env=command_environment(), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 600
        while not list(tmp_path.glob("*/masks.jsonl")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, messages = process.communicate(timeout=600)
    assert process.returncode == 130
    assert messages.decode().splitlines()[-1] == "stopped; run the same command to resume"
    segment(clips, tmp_path, model=str(weights), arguments=RAY, kills=Kills())
    assert differences(tmp_path, plain, num_broken=NUM_BROKEN) == []
