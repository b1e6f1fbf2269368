"""Rules about imports that neither ruff nor import-linter can say."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "ovvis_cli").rglob("*.py"), *(ROOT / "models" / "ovvis_models").rglob("*.py")])


def _imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("rich", "ovvis_cli/console.py"),
        ("av", "ovvis_cli/video/"),
        ("typer", "ovvis_cli/"),
        ("ray", "ovvis_cli/batch/ray_cluster.py"),
        ("fsspec", "ovvis_cli/batch/storage.py"),
    ],
)
def test_only_one_place_imports(package: str, allowed: str) -> None:
    importers = [path.relative_to(ROOT).as_posix() for path in FILES if package in _imported(path)]
    assert importers, f"nothing imports {package} any more"
    assert [name for name in importers if not name.startswith(allowed)] == []


def test_the_core_knows_neither_shell_nor_console() -> None:
    core = [path for path in FILES if "ovvis_models" in path.parts]
    forbidden = {"ovvis_cli", "typer", "rich", "av", "tqdm", "platformdirs"}
    assert {path.name: _imported(path) & forbidden for path in core if _imported(path) & forbidden} == {}


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_every_module_can_be_imported() -> None:
    for root in ("ovvis_cli", "ovvis_models"):
        package = importlib.import_module(root)
        for module in pkgutil.walk_packages(package.__path__, prefix=f"{root}."):
            importlib.import_module(module.name)
