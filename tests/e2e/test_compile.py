"""`--compile`: the same masks from compiled networks, and one line where nothing can be compiled."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Ovvis, command_environment, command_line

pytestmark = pytest.mark.e2e


def test_without_a_compiler_one_line_says_so(weights: Path, clip: Path, tmp_path: Path) -> None:
    arguments = command_line(
        *("segment", clip, "-c", "dog", "--model", weights, "--device", "cpu", "--compile"),
        *("-o", tmp_path / "out"),
    )
    environment = command_environment() | {
        "CXX": "no-such-compiler",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
    }
    process = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=280)
    assert process.returncode == 5
    errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "cannot compile here" in errors[0] and "g++" in errors[0]
    assert "Traceback" not in process.stderr


@pytest.mark.slow
def test_compiled_networks_find_the_same(ovvis: Ovvis, tmp_path: Path) -> None:
    from ovvis_cli.record.reader import Record, instance_mask

    park = Path(__file__).parents[2] / "examples" / "park.mp4"
    frames = []
    for name, options in (("plain", ()), ("compiled", ("--compile",))):
        outcome = ovvis(
            *("segment", park, "-c", "dog,skateboard", "--end", "1", "--batch-size", "3", "--save", "ytvis"),
            *("--device", "cpu", "--precision", "fp32", "-o", tmp_path / name, *options),
        )
        assert outcome.code == 0
        record = Record.open(tmp_path / name / "park")
        assert record.header.settings.get("compiled", False) is (name == "compiled")
        frames.append(list(record.frames()))
    assert len(frames[0]) % 3, "the last batch is to be a part of one"
    assert len(frames[0]) == len(frames[1])
    for plain, compiled in zip(*frames, strict=True):
        assert [i.track_id for i in plain.instances] == [i.track_id for i in compiled.instances]
        for a, b in zip(plain.instances, compiled.instances, strict=True):
            assert np.mean(instance_mask(a) != instance_mask(b)) < 1e-3
