"""The folders depend on each other in one direction only, as the README's flow says."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("bench", "compile", "deploy_rpc", "model")  # each may import itself and those after it
SOURCES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported_packages(path: Path) -> set[str]:
    packages: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            packages.add(node.module.split(".")[0])
    return packages


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_its_own_layer_and_those_below(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    above = set(LAYERS[: LAYERS.index(layer)])
    assert not imported_packages(path) & (above | {"tests"})


@pytest.mark.parametrize("layer", LAYERS)
def test_no_script_folder_shadows_the_standard_library(layer: str) -> None:
    """`python compile/build.py` puts `compile/` first on the path."""
    names = {path.stem for path in (ROOT / layer).iterdir() if path.suffix == ".py"}
    assert not names & set(sys.stdlib_module_names)


def test_every_layer_is_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(LAYERS)
