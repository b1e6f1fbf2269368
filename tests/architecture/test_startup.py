"""`ovvis --help` answers at once: nothing heavy is imported before a command needs it."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_help_takes_less_than_half_a_second() -> None:
    # Processor time, and the best of some runs: on an idle machine it is what a user waits.
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "segment" in _python("-m", "ovvis_cli.app", "--help").stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < HELP_LIMIT_S
