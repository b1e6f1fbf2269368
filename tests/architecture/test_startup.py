"""Commands import only what they need: `ovvis --help` nothing heavy, `ovvis export` no networks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ovvis_cli.choices import EXPORT_FORMATS
from tests.media import write_video
from tests.records import FRAME_HW, NUM_FRAMES, write_record

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "cv2",
    "av",
    "timm",
    "open_clip",
    "torchvision",
    "safetensors",
    "transformers",
    "pycocotools",
    "ray",
)
HELP_LIMIT_S = 0.5


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")])}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True, timeout=120
    )


@pytest.mark.parametrize("module", ["ovvis_cli", "ovvis_cli.app"])
def test_importing_is_light(module: str) -> None:
    script = (
        f"import json, sys, {module}; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    assert json.loads(_python("-c", script).stdout) == []


def _imported_by(*arguments: str) -> list[str]:
    """The heavy modules that a command has imported at its end."""
    script = (
        f"import json, sys; from ovvis_cli.app import run; code = run({list(arguments)!r});"
        f"print(json.dumps([code, *(name for name in {HEAVY!r} if name in sys.modules)]))"
    )
    code, *imported = json.loads(_python("-c", script).stdout.splitlines()[-1])
    assert code == 0
    return sorted(imported)


def test_segment_with_the_default_model_imports_no_clip(tmp_path: Path) -> None:
    """Its classes are a list of words: open_clip and what comes with it are for other models."""
    video = write_video(tmp_path / "clip.mp4", [np.full((*FRAME_HW, 3), 90, np.uint8)])
    imported = _imported_by("segment", str(video), "-c", "dog", "-o", str(tmp_path / "out"), "--quiet")
    network = ["scipy", "timm", "torch", "torchvision"]
    assert imported == sorted(["av", "cv2", "numpy", "pycocotools", "safetensors", *network])


def test_models_list_builds_no_network() -> None:
    assert set(_imported_by("models", "list")) <= {"numpy", "safetensors", "scipy", "torch", "pycocotools"}


def test_export_needs_no_networks(tmp_path: Path) -> None:
    """`ovvis export` of any format imports what reads and draws, but neither torch nor what brings it."""
    video = tmp_path / "clip.mp4"
    frames = [np.full((*FRAME_HW, 3), 90, np.uint8)] * NUM_FRAMES
    write_record(tmp_path / "record", source=write_video(video, frames))
    formats = ",".join(name for name in EXPORT_FORMATS if name != "rle")
    imported = _imported_by("export", str(tmp_path / "record"), "--format", formats, "--quiet")
    assert imported == ["av", "cv2", "numpy", "pycocotools", "safetensors"]


def test_help_takes_less_than_half_a_second() -> None:
    # Processor time, and the best of some runs: on an idle machine it is what a user waits.
    resource = pytest.importorskip("resource", reason="processor time of children is POSIX")

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "segment" in _python("-m", "ovvis_cli.app", "--help").stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < HELP_LIMIT_S
