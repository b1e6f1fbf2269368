"""Every module is in a layer of import-linter's contracts, and tests mirror the source folders."""

import pkgutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {"ovvis_cli": ROOT / "ovvis_cli", "ovvis_models": ROOT / "models" / "ovvis_models"}
ROOT_MODULES = {"cli", "core"}  # tests of the modules directly in `ovvis_cli` and in `ovvis_models`


def _layered(package: str) -> set[str]:
    """The modules and folders of a package that its layers contract names."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == [package]]
    return {name.strip() for layer in layers for name in layer.replace("|", ":").split(":")}


@pytest.mark.parametrize("package", SOURCES)
def test_every_module_is_in_a_layer(package: str) -> None:
    modules = {module.name for module in pkgutil.iter_modules([str(SOURCES[package])])}
    assert modules - _layered(package) == set()
    assert _layered(package) - modules == set()


def test_unit_tests_mirror_the_source_folders() -> None:
    folders = {path.name for path in (ROOT / "tests" / "unit").iterdir() if any(path.glob("test_*.py"))}
    sources = {module.name for root in SOURCES.values() for module in pkgutil.iter_modules([str(root)])}
    assert folders - sources - ROOT_MODULES - {"benchmarks"} == set()
