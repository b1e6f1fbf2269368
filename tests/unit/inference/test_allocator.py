"""Freed memory stays with the process: what is asked for again is not taken from the system again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ovvis_cli.inference import allocator

ROOT = Path(__file__).parents[3]
FAULTS = """
import resource, sys
from ovvis_cli.inference.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def frame():
    maps = [np.ones((6, 1 << 20), np.float32) for _ in range(6)]  # 24 MiB each, at the same time
for _ in range(3):
    frame()
before = faults()
for _ in range(5):
    frame()
print(faults() - before)
"""


def _page_faults(mode: str) -> int:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC", "GLIBC"))}
    command = [sys.executable, "-c", FAULTS, mode]
    done = subprocess.run(
        command, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not allocator._is_glibc(), reason="only glibc is told")
def test_pages_are_not_asked_for_again() -> None:
    assert _page_faults("keep") < 0.2 * _page_faults("default")


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> str:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(allocator.os, "confstr", unknown)
    assert not allocator.keep_freed_memory()
