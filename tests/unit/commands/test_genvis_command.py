"""`ovvis models` and `ovvis segment` for GenVIS."""

import json

import pytest

from ovvis_cli.app import run
from ovvis_models.catalog import CATALOG

GENVIS = sorted(name for name in CATALOG if name.startswith("genvis-"))


def test_there_are_both_modes_of_both_backbones_for_three_data_sets():
    names = {
        f"genvis-{backbone}-{table}{mode}"
        for backbone in ("r50", "swin-l")
        for table in ("ytvis2019", "ytvis2021", "ovis")
        for mode in ("", "-semi")
    }
    assert names <= set(GENVIS)


@pytest.mark.parametrize(
    ("name", "window", "short_side", "num_classes", "num_results"),
    [
        ("genvis-r50-ytvis2019", 1, 360, 40, 10),
        ("genvis-r50-ovis-semi", 3, 360, 25, 20),
        ("genvis-swin-l-ytvis2021-semi", 3, 448, 40, 10),
    ],
)
def test_the_numbers_are_those_of_the_paper(name, window, short_side, num_classes, num_results):
    spec = CATALOG[name]
    assert (spec.window, spec.proposal_input.short_side) == (window, short_side)
    assert spec.window_decoder.num_classes == spec.proposals.num_classes == num_classes
    assert spec.published.num_results == num_results
    assert spec.proposals.num_queries == (200 if "swin-l" in name else 100)


def test_info_tells_where_the_weights_are(home, capsys):
    assert run(["models", "info", "genvis-r50-ovis-semi", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["published_at"] == "https://github.com/miranheo/GenVIS"
    assert value["installed"] is False


def test_a_wrong_number_of_windows_is_one_line_and_an_exit_code(tmp_path, capsys):
    code = run(
        ["segment", "x.mp4", "-c", "dog", "-o", str(tmp_path), "--memory-windows", "few", "--model", "x"]
    )
    assert code != 0
    assert "error: " in capsys.readouterr().err
