"""The real command on real files, with a small network of random weights unless a test says otherwise."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import media

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left on the console."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("warning: ")]


class Ovvis:
    """Runs `ovvis ARGUMENTS` in this process, just as `main` does."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Outcome:
        from ovvis_cli.app import run

        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Outcome(code=code, out=out, err=err)


@pytest.fixture
def ovvis(capsys: pytest.CaptureFixture[str]) -> Iterator[Ovvis]:
    root = logging.getLogger()
    loggers = [root, logging.getLogger("ovvis_cli"), logging.getLogger("ovvis_models")]
    levels, handlers = [logger.level for logger in loggers], root.handlers[:]
    yield Ovvis(capsys)
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of instformer-tiny that see something everywhere."""
    import torch

    from ovvis_models.catalog import find_spec
    from ovvis_models.weights import save_weights

    torch.manual_seed(0)
    network = find_spec("instformer-tiny").build().eval()
    with torch.no_grad():
        network.proposals.query_decoder.object_head.linear.bias.add_(1.0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(network, path, metadata={"model": "instformer-tiny"})
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames with sound."""
    path = tmp_path_factory.mktemp("clip") / "street.mp4"
    return media.write_video(path, media.numbered_images(6), media.VideoSpec(audio="aac"))


def command_line(*arguments: str | Path) -> list[str]:
    """For `subprocess`: the command as it is installed."""
    return [sys.executable, "-m", "ovvis_cli.app", *(str(argument) for argument in arguments)]


def command_environment() -> dict[str, str]:
    """For `subprocess`: finds the two packages of this checkout."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")])}
