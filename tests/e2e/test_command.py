"""The command around the commands: help, version, exit codes, models, doctor."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import ovvis_cli
from ovvis_cli.commands.doctor_checks import Check
from ovvis_cli.errors import ModelError, ResourceError, exit_code_of
from tests.e2e.conftest import ROOT, Ovvis, command_environment, command_line

pytestmark = pytest.mark.e2e

OPTIONS = {
    "segment": """--adapter --batch-size --classes --classes-file --classifier --device --end --fps --json
        --live --max-tracks --memory-windows --model --no-distractors --output --overwrite --precision --quiet
        --save --score-threshold --start --stride --tracker --rules --momentum --top-k-frames --top-k-chosen
        --short-side --text-embeddings --vocabulary --shard --jobs --dry-run
        --watch --ray --workers --gpus-per-worker --scratch --scratch-gb""",
    "batch status": "--json --quiet",
    "batch retry": "--jobs --json --left --quiet --scratch --scratch-gb",
    "benchmark": """--batch-size --classes-count --compare --device --frames --json --model --plot --precision
        --quiet --random-weights --size --video""",
    "find": """--classes --classes-file --json --limit --model --no-distractors --overwrite --quiet --report
        --score-threshold --vocabulary""",
    "export": "--format --json --output --overwrite --quiet --source",
    "relabel": """--classes --classes-file --json --max-tracks --model --no-distractors --quiet --save
        --score-threshold --source --text-embeddings --vocabulary""",
    "models list": "--json",
    "models info": "--json",
    "models import": "--classes --classes-file --json --quiet --text-embeddings --vocabulary",
    "doctor": "--json --quiet",
}
COMMANDS = [
    "batch",
    "benchmark",
    "diorama",
    "doctor",
    "evaluate",
    "export",
    "find",
    "models",
    "relabel",
    "segment",
    "train",
]


def _options(ovvis: Ovvis, command: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", ovvis(*command.split(), "--help").out)) - {"--help"}


def test_commands_are_frozen(ovvis: Ovvis) -> None:
    rows = re.findall(r"^│ (\w+) ", ovvis("--help").out.split("Commands")[1], re.MULTILINE)
    assert sorted(rows) == COMMANDS


@pytest.mark.parametrize("command", OPTIONS)
def test_options_are_frozen(ovvis: Ovvis, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # no option name is cut
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)
    assert _options(ovvis, command) == set(OPTIONS[command].split())


def test_the_bare_command_shows_three_examples_that_exist(ovvis: Ovvis) -> None:
    outcome = ovvis()
    assert (outcome.code, outcome.err) == (0, "")
    examples = re.findall(r"^  ovvis (\w+) (.*?)  ", outcome.out, re.MULTILINE)
    assert [command for command, _ in examples] == ["segment", "relabel", "evaluate"]
    for command, rest in examples:
        assert set(re.findall(r"--[a-z-]+", rest)) <= _options(ovvis, command)


@pytest.mark.parametrize(("typed", "offered"), [("ovvis fi", "find"), ("ovvis export --fo", "--format")])
def test_the_shell_completes_commands_and_options(typed: str, offered: str) -> None:
    asked = {"_OVVIS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    process = subprocess.run(
        command_line(), env=command_environment() | asked, capture_output=True, text=True, timeout=280
    )
    assert (process.returncode, process.stdout.split()) == (0, [offered])


def test_a_group_without_a_command_shows_its_help(ovvis: Ovvis) -> None:
    outcome = ovvis("models")
    assert (outcome.code, outcome.err) == (0, "")
    assert "import" in outcome.out


def test_version(ovvis: Ovvis) -> None:
    outcome = ovvis("--version")
    assert (outcome.code, outcome.out) == (0, f"ovvis {ovvis_cli.__version__}\n")


def test_what_is_mistyped_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    script = (
        "import sys; from ovvis_cli.app import run;"
        f"code = run(['segment', 'x.mp4', '-c', 'a,a', '-o', {str(tmp_path)!r}]);"
        "sys.exit(0 if code == 3 and 'torch' not in sys.modules else 1)"
    )
    subprocess.run([sys.executable, "-c", script], env=command_environment(), check=True, timeout=280)


def test_the_process_has_the_exit_code_and_one_line(tmp_path: Path) -> None:
    arguments = command_line("segment", tmp_path / "x.mp4", "-c", "a,a")
    process = subprocess.run(
        arguments, env=command_environment(), capture_output=True, text=True, timeout=280
    )
    assert (process.returncode, process.stdout) == (3, "")
    assert re.fullmatch(r"error: class name 'a' is repeated .*\n", process.stderr)


def test_debug_adds_the_traceback_wherever_it_stands(ovvis: Ovvis, tmp_path: Path) -> None:
    outcome = ovvis("relabel", tmp_path / "gone", "-c", "dog", "--debug")
    assert outcome.code == 3
    assert "Traceback" in outcome.err
    assert "RecordError" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error: the record ")


def test_a_defect_is_told_in_one_line_too(ovvis: Ovvis, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> dict[str, str]:
        raise KeyError("surprise")

    monkeypatch.setattr("ovvis_cli.commands.doctor_checks.versions", broken)
    monkeypatch.setattr("ovvis_cli.commands.doctor_checks.run_checks", lambda: iter(()))
    outcome = ovvis("doctor", "--json")
    assert outcome.code == 70
    assert outcome.err == (
        "error: internal error of ovvis: KeyError: 'surprise'"
        " (run again with --debug for the traceback, and please report it)\n"
    )


def test_models_are_listed(ovvis: Ovvis) -> None:
    outcome = ovvis("models", "list", "--json")
    found = {model["name"]: model for model in outcome.json["models"]}
    assert set(found) >= {"instformer-tiny", "instformer-r50"}
    assert found["instformer-tiny"]["licence"] == "Apache-2.0"
    assert not found["instformer-r50"]["installed"]
    shown = ovvis("models", "list").out
    assert "installed, " in shown
    assert "ovvis models pull instformer-rfdetr-medium" in shown


def test_one_model_in_detail(ovvis: Ovvis) -> None:
    outcome = ovvis("models", "info", "instformer-r50", "--json")
    assert (outcome.code, outcome.json["backbone"], outcome.json["proposals_a_frame"]) == (0, "resnet50", 100)
    unknown = ovvis("models", "info", "instformer-r5")
    assert (unknown.code, unknown.err) == (
        4,
        "error: unknown model 'instformer-r5' (did you mean instformer-r50?)\n",
    )


def test_doctor_makes_every_check(ovvis: Ovvis) -> None:
    outcome = ovvis("doctor", "--json")
    checks = {check["name"]: check["ok"] for check in outcome.json["checks"]}
    assert list(checks) == ["packages", "device", "video", "cache", "weights", "model"]
    assert [name for name in ("packages", "device", "video", "cache") if not checks[name]] == []
    assert outcome.json["versions"]["torch"] != "missing"
    assert (outcome.code == 0) == all(checks.values()) == outcome.json["ok"]


@pytest.mark.parametrize(
    "error", [ModelError("weights are damaged"), ResourceError("no codec", hint="mend it")]
)
def test_doctor_exits_with_the_code_of_what_it_finds(
    ovvis: Ovvis, monkeypatch: pytest.MonkeyPatch, error: ModelError | ResourceError
) -> None:
    found = [Check(name="packages", detail="fine", error=None), Check(name="model", detail="", error=error)]
    monkeypatch.setattr("ovvis_cli.commands.doctor_checks.run_checks", lambda: iter(found))
    outcome = ovvis("doctor")
    assert outcome.code == exit_code_of(error)
    assert outcome.out.splitlines() == ["ok      packages  fine", f"FAILED  model     {error}"]
    assert outcome.err == f"error: {error}\n"


def _documented_commands() -> list[str]:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("models/**/*.md")]
    texts = [page.read_text() for page in pages]
    lines = [line.strip().removeprefix("$ ") for text in texts for line in text.splitlines()]
    inline = [span for text in texts for span in re.findall(r"`(ovvis [^`]+)`", text)]
    return sorted({line.split("#")[0].strip() for line in lines + inline if line.startswith("ovvis ")})


@pytest.mark.parametrize("line", _documented_commands())
def test_documented_commands_exist_with_their_options(ovvis: Ovvis, line: str) -> None:
    words = shlex.split(line)[1:]
    length = 0 if words[0].startswith("-") else 2 if words[0] in {"batch", "models"} else 1
    command = words[:length]
    used = {word.split("=")[0] for word in words if word.startswith("--") and word != "--debug"}
    outcome = ovvis(*command, "--help")
    assert outcome.code == 0, line
    assert [option for option in used if option not in outcome.out] == []


def test_json_of_doctor_is_one_object(ovvis: Ovvis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovvis_cli.commands.doctor_checks.run_checks", lambda: iter(()))
    assert json.loads(ovvis("doctor", "--json").out)["ok"] is True
