"""The list of permutations names lines that are there, what inverts them, and leaves none out."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from tests.permutations import ROOT, inverted
from tests.permuting_lines import HARMLESS, PERMUTATIONS, Harmless, Permutation

METHODS = {
    "T", "mT", "einsum", "moveaxis", "movedim", "permute", "permute_dims", "rollaxis", "swapaxes",
    "swapdims", "transpose",
}  # fmt: skip
OPERATORS = {"Transpose", "relax.permute_dims"}  # as text: of ONNX and of Relax

Place = tuple[int, int]


@pytest.mark.parametrize("permutation", PERMUTATIONS, ids=lambda each: each.what)
def test_every_permutation_is_found_and_its_inverse_is_python(permutation: Permutation) -> None:
    ast.parse(inverted(permutation))
    name, _ = permutation.tests
    assert (ROOT / "tests" / f"{name}.py").is_file()


def test_every_line_of_the_compiler_that_permutes_is_listed() -> None:
    assert [place for path in (ROOT / "compile").rglob("*.py") for place in _unlisted(path)] == []


@pytest.mark.parametrize("harmless", HARMLESS, ids=lambda each: f"{each.file} {each.reason}")
def test_what_is_listed_as_harmless_has_the_word(harmless: Harmless) -> None:
    content = (ROOT / harmless.file).read_bytes()
    first, last = _span(harmless, content)
    assert any(first <= start and end <= last for start, end in permuting(content))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("y = x.transpose(0, 2, 1)", ["transpose"]),
        ("y = (\n    x.reshape(2, 3)\n    .transpose(1, 0)\n)", ["transpose"]),
        ("y = np.transpose(x) + np.ones(2)", ["transpose"]),
        ("y = relax.op.permute_dims(x, axes)", ["permute_dims"]),
        ("y = torch.permute(x, axes)", ["permute"]),
        ("y = x.T @ w.T", ["T", "T"]),
        ("y = np.moveaxis(np.swapaxes(x, 0, 1), 0, 1)", ["moveaxis", "swapaxes"]),
        ("from numpy import transpose\ny = 1", ["from numpy import transpose"]),
        ('node = helper.make_node("Transpose", [x], [y])', ['"Transpose"']),
        ('"""Before permute_dims(x).T"""  # x.transpose(1, 0)', []),
        ("with T.grid(3): pass", []),
    ],
)
def test_every_spelling_is_seen_and_no_text(source: str, found: list[str]) -> None:
    content = source.encode()
    assert sorted(content[start:end].decode() for start, end in permuting(content)) == found


def permuting(content: bytes) -> list[Place]:
    """Where the Python source `content` names what permutes, from first to behind last byte."""
    lengths = [len(line) for line in content.splitlines(keepends=True)]
    starts = [0, *itertools.accumulate(lengths)]
    places = []
    for node in ast.walk(ast.parse(content)):
        is_method = isinstance(node, ast.Attribute) and node.attr in METHODS
        is_text = isinstance(node, ast.Constant) and node.value in OPERATORS
        is_import = isinstance(node, ast.ImportFrom) and METHODS & {n.name for n in node.names}
        if is_method or is_text or is_import:
            end = starts[node.end_lineno - 1] + node.end_col_offset
            begin = starts[node.lineno - 1] + node.col_offset
            places.append((end - len(node.attr) if is_method else begin, end))
    return places


def _unlisted(path: Path) -> list[str]:
    content, name = path.read_bytes(), str(path.relative_to(ROOT))
    spans = [_span(each, content) for each in (*PERMUTATIONS, *HARMLESS) if each.file == name]
    return [
        f"{name}:{len(content[:start].splitlines())}: {content[start:end].decode()}"
        for start, end in permuting(content)
        if not any(first <= start and end <= last for first, last in spans)
    ]


def _span(listed: Permutation | Harmless, content: bytes) -> Place:
    """Where its line is in `content`, which has it once."""
    line = listed.line.encode()
    assert content.count(line) == 1, f"{listed.file} has {content.count(line)} of {listed.line!r}"
    return content.index(line), content.index(line) + len(line)
