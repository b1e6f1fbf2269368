"""The scripts that docs/performance.md names can be run, and what they compare gives the same results."""

import runpy
from pathlib import Path

import pytest
import torch

from benchmarks import choices

SCRIPTS = sorted((Path(__file__).parents[3] / "benchmarks").glob("[!_]*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_script_tells_how_to_run_it(script: Path, monkeypatch, capsys) -> None:
    name = script.stem
    if name == "assembled":
        pytest.importorskip("transformers")
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"python -m benchmarks.{name}" in told or f"python benchmarks/{name}.py" in told


def test_a_choice_undone_changes_nothing_but_the_speed() -> None:
    """The small model has no norm and no QuickGELU to fold: those two choices are test_folding.py's."""
    forms = choices.choices("instformer-tiny", precision="fp32")
    frames = torch.randint(
        0, 256, (2, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    predictions = {}
    for name, form in forms.items():
        with form.during, torch.inference_mode():
            predictions[name] = form.network.predict(frames)
    usual = predictions[choices.AS_IT_RUNS]
    assert len(predictions) == 9
    for name, other in predictions.items():
        close = {"rtol": 0, "atol": 2e-3, "msg": lambda text, name=name: f"{name}: {text}"}
        torch.testing.assert_close(other.proposals.mask_logits, usual.proposals.mask_logits, **close)
        torch.testing.assert_close(other.instance_tokens, usual.instance_tokens, **close)
