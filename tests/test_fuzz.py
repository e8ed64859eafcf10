"""A short run of every fuzzer, the same inputs each time; the long one: `python -m tests.fuzz`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
from hypothesis import strategies as st

from compile.frontend.onnx_file import OnnxError, load_onnx
from compile.frontend.onnx_import import import_onnx
from model.errors import InputError
from tests.fuzz.__main__ import fuzz
from tests.fuzz.edits import CORPUS
from tests.fuzz.parsers import PARSERS, Parser


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("name", PARSERS)
def test_sound_inputs_are_taken_and_edits_of_them_taken_or_refused(name: str) -> None:
    """If the sound ones were refused, so would all edits be, for that reason."""
    for value in PARSERS[name].sound:
        PARSERS[name].parse(value)
    tally: Counter[str] = Counter()
    fuzz(PARSERS[name], PARSERS[name].examples, 1, tally)
    assert tally.total() >= PARSERS[name].examples // 2


def test_only_what_nobody_can_guess_or_reach_has_no_sound_input() -> None:
    without = {name for name, parser in PARSERS.items() if not parser.sound}
    assert without == {"tracker", "agent's proof"}


def test_a_parser_that_fails_in_another_way_is_found() -> None:
    def parse(text: bytes) -> None:
        if len(text) > 3:
            raise InputError("too long")
        if text.startswith(b"x"):
            raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        fuzz(Parser(st.binary(), parse, 0), 2000, 1, Counter())


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(OnnxError, match="no UTF-8"):
        load_onnx(CORPUS / "network.no_text.onnx")


def test_shapes_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    model = onnx.load(CORPUS / "graph.onnx")
    (concat,) = (node for node in model.graph.node if node.op_type == "Concat")
    del concat.input[0]
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(OnnxError, match=r"shapes do not fit: .*mismatch"):
        import_onnx(tmp_path / "net.onnx", input_size=None, preprocessing="imagenet")
