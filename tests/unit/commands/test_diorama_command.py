"""`ovvis diorama` as a command: options become a plan, bad ones a usage error."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ovvis_cli.commands.diorama import diorama
from ovvis_cli.errors import UsageError

SMALL = ("--size", "48x64", "--frames", "2")


def _run(*arguments: str | Path) -> str:
    app = typer.Typer()
    app.command()(diorama)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_draws_a_data_set(tmp_path: Path) -> None:
    said = _run(tmp_path, "--videos", "2", "--kinds", "dog, cat", *SMALL)
    path = tmp_path / "val" / "instances.json"
    assert Path(said.strip()) == path
    annotations = json.loads(path.read_text(encoding="utf-8"))
    names = {entry["id"]: entry["name"] for entry in annotations["categories"]}
    assert len(annotations["videos"]) == 2
    assert {names[entry["category_id"]] for entry in annotations["annotations"]} <= {"dog", "cat"}
    assert (annotations["videos"][0]["height"], annotations["videos"][0]["width"]) == (48, 64)


def test_draws_one_video_with_a_cast(tmp_path: Path) -> None:
    _run(tmp_path, "--cast", "dog,dog", "--name", "pair", "--background", "grass", "--quiet", *SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pair.json", "pair.mp4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "240"), "is not a valid size"),
        (("--size", "4x4"), "cannot draw"),
        (("--kinds", "dog,dragon"), "--kinds: unknown kind 'dragon'"),
        (("--cast", "dragon"), "--cast: unknown kind 'dragon'"),
        (("--cast", "dog", "--background", "lava"), "unknown background 'lava'"),
        (("--cast", "dog", "--name", "../dog"), "is not a valid file name"),
        (("--background", "grass"), "only valid with --cast"),
    ],
)
def test_bad_options_are_usage_errors(tmp_path: Path, arguments: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _run(tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_training_refuses_novel_kinds(tmp_path: Path) -> None:
    from ovvis_cli.diorama.kinds import NOVEL_KINDS

    with pytest.raises(UsageError, match="held out"):
        _run(tmp_path, "--split", "train", "--kinds", NOVEL_KINDS[0].name)


def test_importing_the_command_loads_nothing_heavy() -> None:
    heavy = "{'cv2', 'numpy', 'torch', 'av', 'rich'}"
    code = f"import sys, ovvis_cli.commands.diorama; print({heavy} & set(sys.modules))"
    command, root = [sys.executable, "-c", code], Path(__file__).parents[3]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert loaded.stdout.strip() == "set()"
