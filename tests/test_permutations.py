"""The list of permutations names lines that are there, and what inverts them."""

from __future__ import annotations

import ast

import pytest

from tests.permutations import PERMUTATIONS, ROOT, Permutation, inverted


@pytest.mark.parametrize("permutation", PERMUTATIONS, ids=lambda each: each.what)
def test_every_permutation_is_found_and_its_inverse_is_python(permutation: Permutation) -> None:
    ast.parse(inverted(permutation))
    name, _ = permutation.tests
    assert (ROOT / "tests" / f"{name}.py").is_file()


def test_every_pass_and_template_that_permutes_is_listed() -> None:
    folders = ("compile/passes", "compile/schedules", "compile/frontend")
    permuting = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).glob("*.py")
        if ".transpose(" in path.read_text(encoding="utf-8")
    }
    assert permuting <= {permutation.file for permutation in PERMUTATIONS} | REFERENCES


REFERENCES = {"compile/frontend/onnx_import.py"}  # permutes pictures for ONNX Runtime, not tensors
