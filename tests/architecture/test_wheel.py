"""What an installed ovvis brings along, and nothing else."""

import tomllib
import zipfile
from pathlib import Path

import pytest

import ovvis_cli

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    built = next(iter(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))
    with zipfile.ZipFile(built) as wheel:
        return wheel.namelist()


def test_holds_exactly_two_top_level_packages(wheel_names: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ovvis_cli", "ovvis_models"}


@pytest.mark.parametrize(
    "name",
    [
        "ovvis_cli/py.typed",
        "ovvis_cli/exporters/report/pages/report.js",
        "ovvis_cli/recipes/instformer_tiny.toml",
        "ovvis_cli/vocabulary/tables/lvis.json",
        "ovvis_models/py.typed",
    ],
)
def test_holds_the_data_that_the_code_reads(wheel_names: list[str], name: str) -> None:
    assert name in wheel_names


def test_holds_the_weights_that_the_catalog_promises(wheel_names: list[str]) -> None:
    from ovvis_models.catalog import CATALOG

    promised = [spec.weights.file_name for spec in CATALOG.values() if spec.weights is not None]
    assert [name for name in promised if f"ovvis_models/zoo/{name}" not in wheel_names] == []


def test_version_is_the_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == ovvis_cli.__version__
