"""A short run of every fuzzer, the same inputs each time; the long one: `python -m tests.fuzz`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st

from model.errors import InputError
from tests.fuzz.__main__ import fuzz
from tests.fuzz.parsers import PARSERS, Parser


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("name", PARSERS)
def test_no_input_does_anything_but_being_taken_or_refused(name: str) -> None:
    tally: Counter[str] = Counter()
    fuzz(PARSERS[name], PARSERS[name].examples, 1, tally)
    assert tally.total() >= PARSERS[name].examples // 2


def test_a_parser_that_fails_in_another_way_is_found() -> None:
    def parse(text: bytes) -> None:
        if len(text) > 3:
            raise InputError("too long")
        if text.startswith(b"x"):
            raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        fuzz(Parser(st.binary(), parse, 0), 2000, 1, Counter())
