"""`ovvis train` from the first picture to a weights file that the tool loads."""

import pytest

from ovvis_cli.app import run
from ovvis_models.loading import load


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("model", ["instformer-tiny", "clipvis-tiny", "ovformer-tiny"])
def test_a_short_training_gives_weights_that_load(tmp_path, model):
    arguments = ["train", model, "--budget", "0.002", "--output", str(tmp_path), "--quiet"]
    assert run(arguments) == 0
    weights = tmp_path / f"{model.replace('-', '_')}.safetensors"
    assert weights.stat().st_size < 25e6
    assert load(weights).spec.name == model
    before = weights.read_bytes()
    assert run(arguments) == 0, "a finished training is only packed again"
    assert weights.read_bytes() == before


def test_an_impossible_budget_is_refused(capsys):
    assert run(["train", "instformer-tiny", "--budget", "0"]) == 2
    assert "--budget" in capsys.readouterr().err
